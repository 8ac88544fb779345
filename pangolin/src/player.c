/* The player: what happens in every state, and the ways into and out of being hurt. */
#include "game.h"

#define HURT_VX 512
#define HURT_VY (-1024)
#define DEATH_VY (-1792)
#define DEATH_GRAVITY 56
#define DEATH_FRAMES 72

void player_reset(s16 x, s16 y)
{
    Player *p = &G.p;
    u8 *bytes = (u8 *)p;
    for (u16 i = 0; i < sizeof(Player); i++)
        bytes[i] = 0;
    p->x = PX(x);
    p->y = PX(y);
    s32 hit = sense_down(x, y + STAND_RADIUS, 0);
    p->y += PX(HIT_DIST(hit));
    p->grounded = 1;
}

s16 player_radius(void)
{
    return G.p.ball ? BALL_RADIUS : STAND_RADIUS;
}

static u8 feet_are_down(void)
{
    return !G.p.grounded || (u8)(G.p.angle + 32) < 64;
}

void player_curl(void)
{
    if (G.p.ball)
        return;
    G.p.ball = 1;
    if (feet_are_down())
        G.p.y += PX(STAND_RADIUS - BALL_RADIUS);
}

/* Pixels free between the curled player's feet line and what hangs over it, both sides. */
static u8 has_headroom(void)
{
    s16 y = PLAYER_Y - BALL_RADIUS, x = PLAYER_X;
    s16 need = 2 * (STAND_RADIUS - BALL_RADIUS);
    return HIT_DIST(sense_up(x - FOOT_X, y, G.p.layer)) >= need &&
           HIT_DIST(sense_up(x + FOOT_X, y, G.p.layer)) >= need;
}

/* Stands up unless a tunnel is too low; says whether the player stands. */
u8 player_uncurl(void)
{
    if (!G.p.ball)
        return 1;
    if (feet_are_down()) {
        if (!has_headroom())
            return 0;
        G.p.y -= PX(STAND_RADIUS - BALL_RADIUS);
    }
    G.p.ball = 0;
    return 1;
}

void player_leave_ground(void)
{
    G.p.grounded = 0;
    G.p.ride = 0;
    G.p.crouch = 0;
    G.p.spindash = 0;
    G.p.pushing = 0;
    G.p.skidding = 0;
    G.p.balance = 0;
}

/* Feet on ground of this angle: speed in the plane becomes speed along the ground. */
void player_land(u8 angle)
{
    Player *p = &G.p;
    s16 tilt = (s8)angle;
    s16 steep = ABS(tilt);
    s16 vx = p->vx, vy = p->vy;
    p->grounded = 1;
    p->angle = angle;
    if (p->hurt) {
        p->hurt = 0;
        p->invulnerable = INVULNERABLE_FRAMES;
        vx = 0;
        vy = 0;
    }
    if (steep <= 16 || ABS(vx) > ABS(vy))
        p->gsp = vx;
    else if (steep <= 32)
        p->gsp = tilt > 0 ? -(vy >> 1) : vy >> 1;
    else
        p->gsp = tilt > 0 ? -vy : vy;
    p->jumping = 0;
    p->springing = 0;
    player_uncurl();
}

void player_hurt(s16 from_x)
{
    Player *p = &G.p;
    if (p->invulnerable || p->hurt || p->dead || p->finished)
        return;
    if (G.rings == 0) {
        player_die();
        return;
    }
    rings_scatter();
    player_leave_ground();
    player_uncurl();
    p->jumping = 0;
    p->springing = 0;
    p->hurt = 1;
    p->gsp = 0;
    p->vx = PLAYER_X < from_x ? -HURT_VX : HURT_VX;
    p->vy = HURT_VY;
}

void player_die(void)
{
    Player *p = &G.p;
    if (p->dead || p->finished)
        return;
    player_leave_ground();
    p->dead = 1;
    p->dead_frames = DEATH_FRAMES;
    p->ball = 0;
    p->hurt = 0;
    p->gsp = 0;
    p->vx = 0;
    p->vy = DEATH_VY;
    G.lives--;
}

static void fall_dead(void)
{
    Player *p = &G.p;
    if (PLAYER_Y < L->height + 64)
        p->y += SPEED(p->vy);
    p->vy = MIN(p->vy + DEATH_GRAVITY, 4096);
    p->dead_frames--;
}

static void keep_inside(void)
{
    Player *p = &G.p;
    s16 x = PLAYER_X;
    s16 left = 16, right = L->width - 16;
    if (x < left || x > right) {
        p->x = PX(x < left ? left : right);
        p->gsp = 0;
        p->vx = 0;
    }
    if (PLAYER_Y < -64) {
        p->y = PX(-64);
        p->vy = MAX(p->vy, 0);
    }
}

static void cross_switches(s16 old_x, s16 y)
{
    const SwitchDef *s = L->switches;
    s16 x = PLAYER_X;
    for (u16 i = L->n_switches; i; i--, s++) {
        s16 line = s->x;
        if (y < (s16)s->y0 || y >= (s16)s->y1)
            continue;
        /* The middle of a loop changes over for who runs round it, not for who jumps across. */
        if (s->to_right != s->to_left && !G.p.grounded)
            continue;
        if (old_x < line && x >= line)
            G.p.layer = s->to_right;
        else if (old_x >= line && x < line)
            G.p.layer = s->to_left;
    }
}

static u8 in_kill_zone(void)
{
    s16 x = PLAYER_X, y = PLAYER_Y;
    if (y > (s16)L->height + 16)
        return 1;
    const RectDef *r = L->kills;
    for (u16 i = L->n_kills; i; i--, r++)
        if (x >= (s16)r->x0 && x < (s16)r->x1 && y >= (s16)r->y0 && y < (s16)r->y1)
            return 1;
    return 0;
}

void player_step(void)
{
    Player *p = &G.p;
    if (!p->dead && probe_up(PLAYER_X, PLAYER_Y, p->layer) < 0)
        player_push_out();
    if (p->dead) {
        fall_dead();
        player_choose_sprite();
        return;
    }
    s16 old_x = PLAYER_X;
    u8 pad = G.pad;
    if (p->finished)
        pad = 0;
    if (p->invulnerable)
        p->invulnerable--;
    if (p->grounded)
        player_ground_step(pad);
    else
        player_air_step(pad);
    keep_inside();
    cross_switches(old_x, PLAYER_Y);
    if (in_kill_zone())
        player_die();
    player_choose_sprite();
}

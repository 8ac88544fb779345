/* Spikes, crushers, and the two enemies. */
#include "../game.h"

#define WALKER_SPEED 128
#define FLYER_RANGE 140
#define SHOT_EVERY 90
#define SHOT_SPEED 384
#define ENEMY_SCORE 100

void spikes_step(Slot *s)
{
    u8 touch = solid_touch(s, 16, 16);
    u8 harm = s->sub == DIR_UP ? TOUCH_TOP : s->sub == DIR_DOWN ? TOUCH_BOTTOM
            : s->sub == DIR_LEFT ? TOUCH_LEFT : TOUCH_RIGHT;
    if (touch == harm)
        player_hurt(s->x >> 16);
}

static s16 feet_depth(void)
{
    return -HIT_DIST(sense_down(PLAYER_X, PLAYER_Y + player_radius(), G.p.layer));
}

/* A block that drops and climbs back: a = travel in px, b = period in frames. */
void crusher_step(Slot *s)
{
    const ObjDef *d = &L->objs[s->index];
    s16 period = d->b;
    s16 old_y = s->y >> 16, y;
    if (s->timer <= 0 || s->timer > period)
        s->timer = period;
    s->timer--;
    s16 t = period - s->timer; /* 1..period */
    s16 drop_frames = d->a >> 3;
    s16 rise_from = period >> 1;
    if (t <= drop_frames)
        y = d->y + t * 8;
    else if (t < rise_from)
        y = d->y + d->a;
    else
        y = MAX((s16)d->y, d->y + d->a - 2 * (t - rise_from));
    s->y = PX(y);
    u8 touch = solid_touch(s, 16, 16);
    if (touch == TOUCH_BOTTOM && feet_depth() > LAND_SLACK)
        player_die();
    if (touch == TOUCH_BOTTOM || (y > old_y && player_overlaps(s, 8, 16) && PLAYER_Y > y))
        player_hurt(s->x >> 16);
}

static void destroy_enemy(Slot *s)
{
    Player *p = &G.p;
    if (!p->grounded) {
        if (p->vy > 0)
            p->vy = -p->vy;
        else
            p->vy += 256;
    }
    game_add_score(ENEMY_SCORE);
    if (s->index != 0xFFFF)
        G.obj_flags[s->index] |= OBJ_IS_GONE;
    s16 x = s->x >> 16, y = s->y >> 16;
    object_remove(s);
    object_spawn(OBJ_EXPLOSION, x, y);
}

/* Curled breaks it, anything else is hurt by it; says whether the slot lives on. */
static u8 meet_enemy(Slot *s, s16 half_w, s16 half_h)
{
    if (!player_overlaps(s, half_w, half_h))
        return 1;
    if (G.p.ball || G.p.spindash) {
        destroy_enemy(s);
        return 0;
    }
    player_hurt(s->x >> 16);
    return 1;
}

/* Walks a px to both sides of its home along the ground, and turns at ledges. */
void walker_step(Slot *s)
{
    const ObjDef *d = &L->objs[s->index];
    s16 speed = d->b ? d->b : WALKER_SPEED;
    if (!s->vx)
        s->vx = -speed;
    s->x += SPEED(s->vx);
    s16 x = s->x >> 16, away = x - (s16)d->x;
    s32 hit = sense_down(x, (s->y >> 16) + 15, 0);
    s16 drop = HIT_DIST(hit);
    if (away < -d->a || drop > 12 || drop < -12)
        s->vx = speed;
    if (away > d->a)
        s->vx = -speed;
    else if (drop > 12 || drop < -12) {
        s->vx = away > 0 ? -speed : speed;
        s->x += SPEED(s->vx) * 2;
    } else {
        s->y += PX(drop);
    }
    s->flip = s->vx > 0;
    s->frame = (G.frame >> 3) & 1;
    meet_enemy(s, 11, 12);
}

/* Hovers a px around its home and shoots at who comes near; sub 1 never shoots. */
void flyer_step(Slot *s)
{
    const ObjDef *d = &L->objs[s->index];
    u8 phase = (u8)G.frame + (u8)(d->x >> 2);
    s16 x = d->x + ((MUL16(d->a, sine(phase))) >> 8);
    s16 y = d->y + (sine((u8)(phase * 3)) >> 5);
    s->x = PX(x);
    s->y = PX(y);
    s16 dx = PLAYER_X - x, dy = PLAYER_Y - y;
    s->flip = dx > 0;
    s->frame = (G.frame >> 2) & 1;
    if (!d->sub && ABS(dx) < FLYER_RANGE && ABS(dy) < 120) {
        if (++s->timer >= SHOT_EVERY) {
            s->timer = 0;
            Slot *shot = object_spawn(OBJ_SHOT, x, y + 8);
            if (shot) {
                shot->vx = dx < 0 ? -SHOT_SPEED : SHOT_SPEED;
                shot->vy = dy > 32 ? SHOT_SPEED : dy < -32 ? -SHOT_SPEED : 0;
            }
        }
    }
    meet_enemy(s, 12, 10);
}

void shot_step(Slot *s)
{
    s->x += SPEED(s->vx);
    s->y += SPEED(s->vy);
    s->frame = (G.frame >> 2) & 1;
    if (player_overlaps(s, 3, 3)) {
        player_hurt(s->x >> 16);
        object_remove(s);
    } else if (++s->timer > 150) {
        object_remove(s);
    }
}

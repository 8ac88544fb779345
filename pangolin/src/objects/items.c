/* Rings, checkpoints, the goal post, and effects without rules. */
#include "../game.h"

#define LOST_LIFE 200 /* frames */
#define LOST_GRAVITY 24
#define CLEAR_DELAY 150

void rings_reset(void)
{
    G.lost_active = 0;
    for (u16 i = 0; i < L->n_rings; i++)
        G.ring_taken[i] = 0;
    for (u16 i = 0; i < MAX_LOST; i++)
        G.lost[i].life = 0;
}

/* All rings fly out in a fan, the wider the more there are; 32 of them are seen. */
void rings_scatter(void)
{
    u16 n = MIN(G.rings, MAX_LOST);
    LostRing *r = G.lost;
    for (u16 i = 0; i < n; i++, r++) {
        u8 angle = (u8)(64 + (i & 1 ? -(s16)i : (s16)i) * 6);
        s16 speed = i < 16 ? 4 : 2;
        r->x = G.p.x;
        r->y = G.p.y;
        r->vx = cosine(angle) * speed + (s16)(random_u8() & 31);
        r->vy = -sine(angle) * speed;
        r->life = LOST_LIFE;
    }
    G.rings = 0;
    G.lost_active = 1;
}

static u8 player_near(s16 x, s16 y, s16 reach_x, s16 reach_y)
{
    s16 dx = PLAYER_X - x, dy = PLAYER_Y - y;
    return ABS(dx) < reach_x && ABS(dy) < reach_y;
}

static void lost_ring_step(LostRing *r, u8 slow_turn)
{
    r->x += SPEED(r->vx);
    r->y += SPEED(r->vy);
    r->vy = MIN(r->vy + LOST_GRAVITY, 2048);
    s16 x = r->x >> 16, y = r->y >> 16;
    if (slow_turn && r->vy > 0) {
        s16 d = HIT_DIST(sense_down(x, y + 7, 0));
        if (d < 0 && d > -24) {
            r->y += PX(d);
            r->vy = -(r->vy - (r->vy >> 2));
        }
    }
    if (y > (s16)L->height + 16) {
        r->life = 0;
        return;
    }
    r->life--;
    if (r->life < LOST_LIFE - 64 && !G.p.hurt && !G.p.dead &&
        player_near(x, y, 16, player_radius() + 6)) {
        r->life = 0;
        game_add_ring();
    }
}

static void lost_rings_step(void)
{
    LostRing *r = G.lost;
    u8 any = 0;
    for (u16 i = 0; i < MAX_LOST; i++, r++) {
        if (!r->life)
            continue;
        /* Each feels for the ground every fourth frame: 32 at once would cost too much. */
        lost_ring_step(r, ((G.frame + i) & 3) == 0);
        any |= r->life;
    }
    G.lost_active = any != 0;
}

static void take_rings(void)
{
    s16 reach = player_radius() + 6, px = PLAYER_X, py = PLAYER_Y;
    const RingDef *r = &L->rings[G.ring_lo];
    for (u16 i = G.ring_lo; i < G.ring_hi; i++, r++) {
        s16 dx = px - (s16)r->x;
        if (dx >= 16)
            continue;
        if (dx <= -16)
            return;
        s16 dy = py - (s16)r->y;
        if (dy >= reach || dy <= -reach || G.ring_taken[i])
            continue;
        G.ring_taken[i] = 1;
        game_add_ring();
        object_spawn(OBJ_SPARKLE, r->x, r->y);
    }
}

void rings_step(void)
{
    s16 left = G.cam_x - 16, right = G.cam_x + SCREEN_W + 16;
    while (G.ring_hi < L->n_rings && (s16)L->rings[G.ring_hi].x < right)
        G.ring_hi++;
    while (G.ring_hi && (s16)L->rings[G.ring_hi - 1].x >= right)
        G.ring_hi--;
    while (G.ring_lo && (s16)L->rings[G.ring_lo - 1].x >= left)
        G.ring_lo--;
    while (G.ring_lo < L->n_rings && (s16)L->rings[G.ring_lo].x < left)
        G.ring_lo++;
    if (!G.p.dead)
        take_rings();
    if (G.lost_active)
        lost_rings_step();
}

void checkpoint_step(Slot *s)
{
    const ObjDef *d = &L->objs[s->index];
    u8 behind = G.has_checkpoint && (s16)d->x <= (s16)G.checkpoint_x;
    s->frame = behind;
    if (behind || !player_overlaps(s, 8, 32))
        return;
    G.has_checkpoint = 1;
    G.checkpoint_x = d->x;
    G.checkpoint_y = d->y + 24 - STAND_RADIUS - 1;
    G.checkpoint_timer_s = G.timer_s;
}

/* The post only shows: passing the act's end line anywhere counts (see game.c). */
void goal_step(Slot *s)
{
    s->frame = G.end_bonus && G.p.finished < CLEAR_DELAY ? (G.frame >> 2) & 3 : 0;
    if (G.end_bonus && G.p.finished >= CLEAR_DELAY)
        s->frame = 3;
}

static const u8 effect_frames[OBJ_DUST + 1] = {
    [OBJ_EXPLOSION] = 4, [OBJ_FRAGMENT] = 2, [OBJ_SPARKLE] = 3, [OBJ_DUST] = 3,
};

void effect_step(Slot *s)
{
    s->timer++;
    if (s->type == OBJ_FRAGMENT) {
        s->x += SPEED(s->vx);
        s->y += SPEED(s->vy);
        s->vy += 56;
        s->frame = (s->timer >> 2) & 1;
        if (s->timer > 120)
            object_remove(s);
        return;
    }
    s->frame = s->timer >> 2;
    if (s->frame >= effect_frames[s->type])
        object_remove(s);
}

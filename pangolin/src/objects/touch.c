/* How boxes meet the player. */
#include "../game.h"

u8 player_overlaps(const Slot *s, s16 half_w, s16 half_h)
{
    s16 dx = PLAYER_X - (s16)(s->x >> 16), dy = PLAYER_Y - (s16)(s->y >> 16);
    return !G.p.dead && ABS(dx) < half_w + FOOT_X && ABS(dy) < half_h + player_radius() - 2;
}

/* Carried with the head into a roof: crushed. */
static void meet_roof(void)
{
    if (probe_up(PLAYER_X, PLAYER_Y - player_radius() + LAND_SLACK, G.p.layer) < 0)
        player_die();
}

/* Carried aside, but not into a wall. */
static void carry(s16 moved_x)
{
    Player *p = &G.p;
    p->x += PX(moved_x);
    s16 x = PLAYER_X, y = PLAYER_Y;
    s16 d = moved_x > 0 ? probe_right(x + PUSH_X, y, p->layer)
                        : probe_left(x - PUSH_X, y, p->layer);
    if (d < 0 && d > -24)
        p->x += moved_x > 0 ? PX(d) : -PX(d);
}

static void stand_on(Slot *s, s16 half_h)
{
    Player *p = &G.p;
    p->y = s->y - PX(half_h + 1 + player_radius());
    if (!p->grounded || p->ride != (u8)(s - G.slots) + 1) {
        p->ride = (u8)(s - G.slots) + 1;
        if (!p->grounded) {
            player_land(0);
            p->y = s->y - PX(half_h + 1 + player_radius());
        }
        p->vy = 0;
        p->angle = 0;
    }
}

static u8 keep_riding(Slot *s, s16 half_w, s16 half_h, s16 moved_x)
{
    Player *p = &G.p;
    if (p->ride != (u8)(s - G.slots) + 1)
        return 0;
    if (moved_x)
        carry(moved_x);
    s16 dx = PLAYER_X - (s16)(s->x >> 16);
    if (ABS(dx) >= half_w + FOOT_X || !p->grounded) {
        p->ride = 0;
        if (p->grounded)
            player_leave_ground();
        return 0;
    }
    p->y = s->y - PX(half_h + 1 + player_radius());
    meet_roof();
    return 1;
}

/* A box solid on all sides; says which of its sides the player touches. */
u8 solid_touch(Slot *s, s16 half_w, s16 half_h)
{
    Player *p = &G.p;
    if (p->dead)
        return TOUCH_NONE;
    if (keep_riding(s, half_w, half_h, 0))
        return TOUCH_TOP;
    s16 dx = PLAYER_X - (s16)(s->x >> 16), dy = PLAYER_Y - (s16)(s->y >> 16);
    s16 over_x = half_w + PUSH_X + 1 - ABS(dx);
    s16 over_y = half_h + player_radius() + 1 - ABS(dy);
    if (over_x <= 0 || over_y < 0)
        return TOUCH_NONE;
    if (over_y <= over_x || over_y <= 6) {
        if (over_x <= PUSH_X - FOOT_X + 1)
            return TOUCH_NONE; /* beside the edge, not over it */
        if (dy < 0) {
            if (p->vy < 0 || (p->grounded && !p->ride && over_y > 6))
                return TOUCH_NONE;
            stand_on(s, half_h);
            return TOUCH_TOP;
        }
        if (p->grounded || over_y == 0)
            return TOUCH_NONE;
        p->y += PX(over_y);
        if (p->vy < 0)
            p->vy = 0;
        return TOUCH_BOTTOM;
    }
    p->x += dx < 0 ? -(PX(over_x)) : PX(over_x);
    if (dx < 0 ? p->vx > 0 : p->vx < 0) {
        p->gsp = p->grounded ? 0 : p->gsp;
        p->vx = 0;
    }
    return dx < 0 ? TOUCH_LEFT : TOUCH_RIGHT;
}

/* A ledge solid from above only; moved_x is how far it went this frame. */
u8 oneway_touch(Slot *s, s16 half_w, s16 half_h, s16 moved_x)
{
    Player *p = &G.p;
    if (p->dead)
        return TOUCH_NONE;
    if (keep_riding(s, half_w, half_h, moved_x))
        return TOUCH_TOP;
    if (p->grounded || p->vy < 0)
        return TOUCH_NONE;
    s16 dx = PLAYER_X - (s16)(s->x >> 16);
    s16 sunk = PLAYER_Y + player_radius() + 1 - (s16)(s->y >> 16) + half_h;
    if (ABS(dx) >= half_w + FOOT_X || sunk < 0 || sunk > 8 + (p->vy >> 8))
        return TOUCH_NONE;
    stand_on(s, half_h);
    return TOUCH_TOP;
}

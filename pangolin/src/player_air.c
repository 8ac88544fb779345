/* The player in the air. */
#include "game.h"

#define AIR_ACCELERATION 24
#define TOP_SPEED 1536
#define GRAVITY 56
#define HURT_GRAVITY 48
#define JUMP_CUT (-1024)
#define TERMINAL 4096
#define DEEP (-32) /* what the sensors say of ground without an end */

static void steer(Player *p, u8 pad)
{
    if (pad & BTN_LEFT) {
        p->facing_left = 1;
        if (p->vx > -TOP_SPEED)
            p->vx = MAX(p->vx - AIR_ACCELERATION, -TOP_SPEED);
    } else if (pad & BTN_RIGHT) {
        p->facing_left = 0;
        if (p->vx < TOP_SPEED)
            p->vx = MIN(p->vx + AIR_ACCELERATION, TOP_SPEED);
    }
    if (p->vy < 0 && p->vy > JUMP_CUT)
        p->vx -= p->vx / 32;
}

static void hit_walls(Player *p, u8 mostly_vertical)
{
    s16 x = PLAYER_X, y = PLAYER_Y;
    if (p->vx <= 0 || mostly_vertical) {
        s16 d = probe_left(x - PUSH_X, y, p->layer);
        if (d < 0 && d > -24) {
            p->x -= PX(d);
            x -= d;
            p->vx = MAX(p->vx, 0);
        }
    }
    if (p->vx >= 0 || mostly_vertical) {
        s16 d = probe_right(x + PUSH_X, y, p->layer);
        if (d < 0 && d > -24) {
            p->x += PX(d);
            p->vx = MIN(p->vx, 0);
        }
    }
}

static void hit_ceiling(Player *p)
{
    s16 x = PLAYER_X, y = PLAYER_Y - player_radius();
    s32 a = sense_up(x - FOOT_X, y, p->layer), b = sense_up(x + FOOT_X, y, p->layer);
    s32 near = HIT_DIST(a) < HIT_DIST(b) ? a : b;
    s16 d = HIT_DIST(near);
    if (d >= 0 || d < -24)
        return;
    p->y -= PX(d);
    if (p->vy >= 0)
        return;
    u8 angle = HIT_ANGLE(near);
    if ((angle >= 64 && angle < 100) || (angle > 156 && angle <= 192)) {
        /* Steep enough to run on: the climb goes on along the wall. */
        s16 vy = p->vy;
        player_land(angle);
        p->gsp = angle < 128 ? -vy : vy;
    } else {
        p->vy = 0;
    }
}

static void hit_floor(Player *p)
{
    s16 x = PLAYER_X, y = PLAYER_Y + player_radius();
    s32 a = sense_down(x - FOOT_X, y, p->layer), b = sense_down(x + FOOT_X, y, p->layer);
    s32 near = HIT_DIST(a) < HIT_DIST(b) ? a : b;
    s16 d = HIT_DIST(near);
    u8 angle = HIT_ANGLE(near);
    s16 slack = LAND_SLACK + (p->vy >> 8);
    if (angle)
        slack += ABS(p->vx) >> 8;
    if (d >= 0 || d < -slack)
        return;
    p->y += PX(d);
    player_land(angle);
}

/* Whatever the corner, the middle never enters solid ground: it stays where it was. Ground right
 * under it is landed on however deep the feet are, or the fall would be taken back for ever. */
static void turn_back(Player *p, s32 old_x, s32 old_y)
{
    s16 y = PLAYER_Y;
    p->x = old_x;
    p->y = old_y;
    p->vx = 0;
    p->vy = MAX(p->vy, 0);
    if (p->grounded || probe_up(PLAYER_X, y, p->layer) >= 0)
        return;
    s32 floor = sense_down(PLAYER_X, y, p->layer);
    if (y < PLAYER_Y || HIT_DIST(floor) <= DEEP)
        return;
    p->y = PX(y + HIT_DIST(floor) - player_radius());
    player_land(HIT_ANGLE(floor));
}

/* Out of solid ground, which only objects and layers can bring about: sideways where the feet
 * stand, else up where the surface is near, else the shortest way; a life where none is short. */
void player_push_out(void)
{
    Player *p = &G.p;
    s16 x = PLAYER_X, y = PLAYER_Y, best = DEEP, way = 0;
    for (u8 q = p->grounded; q < 4; q += p->grounded + 1) {
        s16 d = HIT_DIST(sense(q, x, y, p->layer));
        if (d > best) {
            best = d;
            way = q;
        }
        if (best >= -STAND_RADIUS && way == 0)
            break;
    }
    if (best == DEEP) {
        player_die();
    } else if (way & 1) {
        p->x += way == 1 ? PX(best) : -PX(best);
        p->vx = 0;
        p->gsp = 0;
    } else if (way == 0) {
        p->y += PX(best); /* the speed stays: it grows until the fall is a landing */
    } else {
        p->y -= PX(best);
        p->vy = MAX(p->vy, 0);
    }
}

void player_air_step(u8 pad)
{
    Player *p = &G.p;
    if (p->jumping && p->vy < JUMP_CUT && !(pad & BTN_JUMP))
        p->vy = JUMP_CUT;
    if (!p->hurt)
        steer(p, pad);
    s32 old_x = p->x, old_y = p->y;
    p->x += SPEED(p->vx);
    p->y += SPEED(p->vy);
    p->vy = MIN(p->vy + (p->hurt ? HURT_GRAVITY : GRAVITY), TERMINAL);
    if (p->springing && p->vy > 0)
        p->springing = 0;
    if ((s8)p->angle > 0)
        p->angle -= MIN(2, p->angle);
    else if (p->angle)
        p->angle += 2;
    if ((s8)p->angle == 1)
        p->angle = 0;

    u8 vertical = ABS(p->vy) > ABS(p->vx);
    hit_walls(p, vertical);
    if (p->vy < 0 || !vertical)
        hit_ceiling(p);
    if (!p->grounded && p->vy >= 0)
        hit_floor(p);
    if (probe_up(PLAYER_X, PLAYER_Y, p->layer) < 0)
        turn_back(p, old_x, old_y);
}

/* The player on the ground: speed along the surface, whichever way the surface turns. */
#include "game.h"

#define ACCELERATION 12
#define DECELERATION 128
#define FRICTION 12
#define ROLL_FRICTION 6
#define ROLL_DECELERATION 32
#define TOP_SPEED 1536
#define MAX_SPEED 4096
#define SLOPE 32
#define SLOPE_ROLL_UP 20
#define SLOPE_ROLL_DOWN 80
#define SLOPE_HOLD 13
#define JUMP_SPEED 1664
#define ROLL_START 256
#define ROLL_STOP 128
#define CRAWL_SPEED 256
#define SLIP_SPEED 640
#define LOCK_FRAMES 30
#define DASH_BASE 2048
#define DASH_STEP 512
#define DASH_MAX 2048
#define STEP_PX 14
#define CORNER 48

static u8 quadrant(u8 angle)
{
    return (u8)(angle + 32) >> 6;
}

static void slope_force(Player *p)
{
    s16 s = sine(p->angle);
    if (p->ball) {
        s16 slope = (p->gsp > 0) == (s > 0) ? SLOPE_ROLL_UP : SLOPE_ROLL_DOWN;
        p->gsp -= (MUL16(slope, s)) >> 8;
        return;
    }
    if (quadrant(p->angle) == 2)
        return;
    s16 force = (MUL16(SLOPE, s)) >> 8;
    if (p->gsp || ABS(force) >= SLOPE_HOLD)
        p->gsp -= force;
}

static s16 towards_zero(s16 v, s16 by)
{
    if (v > 0)
        return MAX(v - by, 0);
    return MIN(v + by, 0);
}

static void steer_running(Player *p, u8 pad)
{
    s16 wish = pad & BTN_LEFT ? -1 : 1;
    s16 v = wish * p->gsp; /* speed in the wished direction */
    if (v < 0) {
        v += DECELERATION;
        if (v >= 0)
            v = DECELERATION;
        p->skidding = v < -512;
    } else {
        if (v < TOP_SPEED)
            v = MIN(v + ACCELERATION, TOP_SPEED);
        p->facing_left = wish < 0;
    }
    p->gsp = wish * v;
}

static void steer_rolling(Player *p, u8 pad)
{
    s16 wish = pad & BTN_LEFT ? -1 : pad & BTN_RIGHT ? 1 : 0;
    s16 v = wish * p->gsp;
    if (wish && v < 0) {
        p->gsp = wish * MIN(v + ROLL_DECELERATION, 0);
    } else if (wish && v < CRAWL_SPEED) {
        /* Only reached under a roof too low to stand up: a slow crawl. */
        p->gsp = wish * MIN(v + ACCELERATION, CRAWL_SPEED);
        p->facing_left = wish < 0;
        return;
    }
    p->gsp = towards_zero(p->gsp, ROLL_FRICTION);
}

static void steer(Player *p, u8 pad)
{
    p->skidding = 0;
    if (p->ball) {
        steer_rolling(p, p->lock ? 0 : pad);
        return;
    }
    if (!p->lock && !p->crouch && (pad & (BTN_LEFT | BTN_RIGHT)))
        steer_running(p, pad);
    else
        p->gsp = towards_zero(p->gsp, FRICTION);
}

static u8 try_jump(Player *p)
{
    if (!(G.pressed & BTN_JUMP))
        return 0;
    u8 up = quadrant(p->angle) + 2;
    s16 r = player_radius();
    s16 x = PLAYER_X, y = PLAYER_Y;
    s16 roof = up & 1 ? MIN(HIT_DIST(sense(up, x + (up & 2 ? -r : r), y - FOOT_X, p->layer)),
                            HIT_DIST(sense(up, x + (up & 2 ? -r : r), y + FOOT_X, p->layer)))
                      : MIN(HIT_DIST(sense(up, x - FOOT_X, y + (up & 2 ? -r : r), p->layer)),
                            HIT_DIST(sense(up, x + FOOT_X, y + (up & 2 ? -r : r), p->layer)));
    if (roof < 6)
        return 0;
    p->vx -= (MUL16(JUMP_SPEED, sine(p->angle))) >> 8;
    p->vy -= (MUL16(JUMP_SPEED, cosine(p->angle))) >> 8;
    player_curl();
    player_leave_ground();
    p->jumping = 1;
    p->lock = 0;
    return 1;
}

/* Charging keeps the player in place; says whether it still charges. */
static u8 spin_dash(Player *p, u8 pad)
{
    if (!p->spindash) {
        u8 slow = ABS(p->gsp) < ROLL_START;
        p->crouch = !p->ball && slow && (pad & BTN_DOWN) != 0;
        if (!slow || !(pad & BTN_DOWN) || !(G.pressed & BTN_JUMP))
            return 0;
        player_curl();
        p->spindash = 1;
        p->crouch = 0;
        p->charge = 0;
        p->gsp = 0;
        return 1;
    }
    if (pad & BTN_DOWN) {
        p->charge -= p->charge >> 5;
        if (G.pressed & BTN_JUMP)
            p->charge = MIN(p->charge + DASH_STEP, DASH_MAX);
        p->gsp = 0;
        return 1;
    }
    p->spindash = 0;
    p->gsp = DASH_BASE + (p->charge >> 1);
    if (p->facing_left)
        p->gsp = -p->gsp;
    G.cam_lag = 16;
    return 0;
}

/* Distance to a wall ahead at the body, and at the head where the ground is near a cardinal. */
static s16 wall_ahead(Player *p, u8 q, u8 ahead, s16 x, s16 y)
{
    s16 low = p->angle == 0 && !p->ball ? 4 : 0;
    s16 head = player_radius() - 2;
    s8 off = (s8)(u8)(p->angle - (q << 6));
    u8 upright = ABS(off) <= 16;
    s16 body, top = 32;
    switch (ahead) {
    case 1:
    case 3: {
        s16 sx = x + (ahead == 1 ? PUSH_X : -PUSH_X);
        s16 up = q == 0 ? -1 : 1;
        body = probe(ahead, sx, y - up * low, p->layer);
        if (upright)
            top = probe(ahead, sx, y + up * head, p->layer);
        break;
    }
    default: {
        s16 sy = y + (ahead == 0 ? PUSH_X : -PUSH_X);
        s16 up = q == 1 ? -1 : 1;
        body = probe(ahead, x, sy, p->layer);
        if (upright)
            top = probe(ahead, x + up * head, sy, p->layer);
        break;
    }
    }
    return MIN(body, top);
}

static void stop_at_wall(Player *p, u8 pad)
{
    p->pushing = 0;
    if (!p->gsp)
        return;
    u8 q = quadrant(p->angle);
    u8 ahead = (q + (p->gsp > 0 ? 1 : 3)) & 3;
    s16 d = wall_ahead(p, q, ahead, (p->x + SPEED(p->vx)) >> 16, (p->y + SPEED(p->vy)) >> 16);
    if (d >= 0 || d < -28)
        return;
    s16 back = d * 256;
    switch (ahead) {
    case 0:
        p->vy += back;
        break;
    case 1:
        p->vx += back;
        p->pushing = (pad & BTN_RIGHT) != 0;
        break;
    case 2:
        p->vy -= back;
        break;
    default:
        p->vx -= back;
        p->pushing = (pad & BTN_LEFT) != 0;
        break;
    }
    p->gsp = 0;
}

/* Both feet's sensors: the nearer surface, and the mean angle where both stand on one curve. */
static s32 feel_ground(Player *p, u8 q)
{
    s16 x = PLAYER_X, y = PLAYER_Y, r = player_radius();
    s32 a, b;
    switch (q) {
    case 0:
        a = sense_down(x - FOOT_X, y + r, p->layer);
        b = sense_down(x + FOOT_X, y + r, p->layer);
        break;
    case 1:
        a = sense_right(x + r, y + FOOT_X, p->layer);
        b = sense_right(x + r, y - FOOT_X, p->layer);
        break;
    case 2:
        a = sense_up(x + FOOT_X, y - r, p->layer);
        b = sense_up(x - FOOT_X, y - r, p->layer);
        break;
    default:
        a = sense_left(x - r, y - FOOT_X, p->layer);
        b = sense_left(x - r, y + FOOT_X, p->layer);
        break;
    }
    s16 da = HIT_DIST(a), db = HIT_DIST(b);
    p->balance = q == 0 && !p->gsp && (da >= 16 || db >= 16);
    s32 near = da <= db ? a : b;
    s8 turn = (s8)(u8)(HIT_ANGLE(b) - HIT_ANGLE(a));
    if (ABS(da - db) < 4 && ABS(turn) <= 40) {
        u8 mean = HIT_ANGLE(a) + (turn >> 1);
        near = (near & ~0xFF) | mean;
    }
    return near;
}

/* Puts the feet on the ground; 0 where the ground is deeper around them than a step is high. */
static u8 follow_ground(Player *p)
{
    u8 q = quadrant(p->angle);
    s32 hit = feel_ground(p, q);
    s16 d = HIT_DIST(hit);
    s16 along = q & 1 ? p->vy : p->vx;
    s16 snap = MIN(4 + (ABS(along) >> 8), STEP_PX);
    if (p->ride) {
        if (d >= 0)
            return 1;
        p->ride = 0;
    }
    if (d > snap) {
        player_leave_ground();
        return 1;
    }
    if (d < -STEP_PX - 2)
        return 0;
    switch (q) {
    case 0:
        p->y += PX(d);
        break;
    case 1:
        p->x += PX(d);
        break;
    case 2:
        p->y -= PX(d);
        break;
    default:
        p->x -= PX(d);
        break;
    }
    u8 angle = HIT_ANGLE(hit);
    s8 turn = (s8)(u8)(angle - p->angle);
    /* A surface far off the last one is a corner, not a curve. */
    p->angle = ABS(turn) > CORNER ? q << 6 : angle;
    return 1;
}

/* A foot that stays deep in a wall, as in a crevice beside a loop, is drawn out bit by bit. */
static void draw_out(Player *p)
{
    if (quadrant(p->angle)) {
        player_leave_ground();
        return;
    }
    s16 x = PLAYER_X, y = PLAYER_Y + player_radius();
    u8 left = HIT_DIST(sense_down(x - FOOT_X, y, p->layer)) < -STEP_PX - 2;
    u8 right = HIT_DIST(sense_down(x + FOOT_X, y, p->layer)) < -STEP_PX - 2;
    if (left && right)
        player_die();
    else if (left || right)
        p->x += left ? PX(1) : -PX(1);
}

static void slip(Player *p)
{
    if (p->lock) {
        p->lock--;
        return;
    }
    if (ABS(p->gsp) >= SLIP_SPEED || p->spindash)
        return;
    u8 a = p->angle;
    if (a < 25 || a > 231)
        return;
    p->lock = LOCK_FRAMES;
    if (a >= 49 && a <= 207)
        player_leave_ground();
    else
        p->gsp += a < 128 ? -128 : 128;
}

static void project_speed(Player *p)
{
    p->gsp = CLAMP(p->gsp, -MAX_SPEED, MAX_SPEED);
    p->vx = (MUL16(p->gsp, cosine(p->angle))) >> 8;
    p->vy = -((MUL16(p->gsp, sine(p->angle))) >> 8);
}

void player_ground_step(u8 pad)
{
    Player *p = &G.p;
    if (!spin_dash(p, pad)) {
        slope_force(p);
        project_speed(p);
        if (try_jump(p)) {
            player_air_step(pad);
            return;
        }
        steer(p, pad);
        if (p->ball && ABS(p->gsp) < ROLL_STOP)
            player_uncurl();
        else if (!p->ball && (pad & BTN_DOWN) && ABS(p->gsp) >= ROLL_START)
            player_curl();
    }
    project_speed(p);
    stop_at_wall(p, pad);
    s32 old_x = p->x, old_y = p->y;
    p->x += SPEED(p->vx);
    p->y += SPEED(p->vy);
    if (!follow_ground(p)) {
        p->x = old_x;
        p->y = old_y;
        p->gsp = 0;
        draw_out(p);
    }
    if (p->grounded)
        slip(p);
}

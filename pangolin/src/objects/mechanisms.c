/* Springs, platforms, crumbling ledges, breakable walls, fans, conveyors. */
#include "../game.h"

#define SPRING_LOCK_FRAMES 15
#define CRUMBLE_FRAMES 40
#define BREAK_SPEED 256
#define FAN_LIFT 120
#define FAN_MAX (-1280)

static void launch(Slot *s, s16 vx, s16 vy)
{
    Player *p = &G.p;
    player_leave_ground();
    player_uncurl();
    p->jumping = 0;
    p->hurt = 0;
    p->springing = vy < 0;
    if (vx) {
        p->vx = vx;
        p->facing_left = vx < 0;
    }
    p->vy = vy;
    s->timer = 8;
}

static void launch_along(Slot *s, s16 speed)
{
    Player *p = &G.p;
    p->vx = speed;
    p->gsp = speed;
    p->facing_left = speed < 0;
    p->lock = SPRING_LOCK_FRAMES;
    s->timer = 8;
}

/* a = speed in 1/256 px per frame, sub = direction. */
void spring_step(Slot *s)
{
    Player *p = &G.p;
    s16 power = L->objs[s->index].a;
    s16 dx = PLAYER_X - (s16)(s->x >> 16);
    u8 sideways = s->sub == DIR_LEFT || s->sub == DIR_RIGHT;
    s->frame = s->timer > 0;
    if (s->timer > 0)
        s->timer--;
    if (!player_overlaps(s, sideways ? 7 : 14, sideways ? 14 : 7))
        return;
    s16 diagonal = MUL16(power, 181) >> 8;
    switch (s->sub) {
    case DIR_UP:
        if (p->vy >= 0)
            launch(s, 0, -power);
        break;
    case DIR_DOWN:
        if (p->vy <= 0 && !p->grounded)
            launch(s, 0, power);
        break;
    case DIR_RIGHT:
        if (dx > -4 && p->vx < power)
            launch_along(s, power);
        break;
    case DIR_LEFT:
        if (dx < 4 && p->vx > -power)
            launch_along(s, -power);
        break;
    case DIR_UP_RIGHT:
        if (p->vy >= 0)
            launch(s, diagonal, -diagonal);
        break;
    default:
        if (p->vy >= 0)
            launch(s, -diagonal, -diagonal);
        break;
    }
}

/* sub 0 horizontal, 1 vertical, 2 circle; a = amplitude in px, b = turn per frame in 1/256 of
 * 1/256 turn. Its place depends on the level's clock alone. */
void platform_step(Slot *s)
{
    const ObjDef *d = &L->objs[s->index];
    u8 phase = (u8)((u16)UMUL16(d->b, G.frame) >> 8) + (u8)(d->sub & 0xF0);
    s16 swing = (MUL16(d->a, sine(phase))) >> 8;
    s16 old_x = s->x >> 16, x = d->x, y = d->y;
    switch (d->sub & 15) {
    case 0:
        x += swing;
        break;
    case 1:
        y += swing;
        break;
    default:
        x += (MUL16(d->a, cosine(phase))) >> 8;
        y += swing;
        break;
    }
    s->x = PX(x);
    s->y = PX(y);
    oneway_touch(s, 32, 8, x - old_x);
}

void crumble_step(Slot *s)
{
    switch (s->state) {
    case 0:
        if (oneway_touch(s, 16, 8, 0)) {
            s->state = 1;
            s->timer = CRUMBLE_FRAMES;
        }
        break;
    case 1:
        s->frame = (s->timer >> 2) & 1;
        oneway_touch(s, 16, 8, 0);
        if (--s->timer == 0) {
            s->state = 2;
            if (G.p.ride == (u8)(s - G.slots) + 1)
                player_leave_ground();
        }
        break;
    default:
        s->vy += 56;
        s->y += SPEED(s->vy);
        s->frame = 1;
        if ((s->y >> 16) > L->height + 32) {
            /* Comes back once its place has left the screen's reach. */
            s->y = PX(L->height + 32);
            s->vy = 0;
        }
        break;
    }
}

static void burst(Slot *s)
{
    s16 x = s->x >> 16, y = s->y >> 16;
    for (s16 i = 0; i < 4; i++) {
        Slot *f = object_spawn(OBJ_FRAGMENT, x + (i & 1 ? 8 : -8), y + (i & 2 ? 16 : -16));
        if (!f)
            break;
        f->vx = (G.p.vx >> 1) + (i & 1 ? 256 : -256);
        f->vy = i & 2 ? -512 : -1024;
        f->timer = 60;
    }
}

/* A wall of 32x64 that only a curled pangolin with some speed breaks. */
void wall_step(Slot *s)
{
    Player *p = &G.p;
    s16 speed = p->vx;
    if (p->ball && ABS(speed) >= BREAK_SPEED && player_overlaps(s, 18, 32)) {
        burst(s);
        G.obj_flags[s->index] |= OBJ_IS_GONE;
        game_add_score(50);
        object_remove(s);
        return;
    }
    solid_touch(s, 16, 32);
}

/* Rising air: a = half width, b = height of the column above the fan, in px. */
void fan_step(Slot *s)
{
    const ObjDef *d = &L->objs[s->index];
    Player *p = &G.p;
    s16 dx = PLAYER_X - (s16)(s->x >> 16), up = (s16)(s->y >> 16) - PLAYER_Y;
    s->frame = (G.frame >> 2) & 1;
    if (p->dead || ABS(dx) >= d->a || up < 0 || up >= d->b)
        return;
    if (p->grounded) {
        player_leave_ground();
        p->vy = 0;
    }
    p->jumping = 0;
    if (p->hurt) {
        /* Held up under a roof the helpless one would never come down again. */
        p->hurt = 0;
        p->invulnerable = INVULNERABLE_FRAMES;
    }
    p->vy = MAX(p->vy - FAN_LIFT, FAN_MAX);
}

/* A band of ground that carries whoever stands on it: a = half width, b = speed. */
void conveyor_step(Slot *s)
{
    const ObjDef *d = &L->objs[s->index];
    Player *p = &G.p;
    s16 dx = PLAYER_X - (s16)(s->x >> 16), dy = PLAYER_Y - (s16)(s->y >> 16);
    s->frame = (G.frame >> 2) & 1;
    if (!p->dead && p->grounded && ABS(dx) < d->a && dy < 0 && dy > -40)
        p->x += SPEED(d->b);
}

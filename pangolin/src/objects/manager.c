/* Objects come alive near the screen and sleep away from it. */
#include "../game.h"

#define WAKE_PX 160

typedef void (*StepFunction)(Slot *);

static const StepFunction step_of[OBJ_N_TYPES] = {
    0, spring_step, spikes_step, platform_step, crumble_step, wall_step, checkpoint_step,
    goal_step, walker_step, flyer_step, shot_step, effect_step, effect_step, effect_step,
    effect_step, fan_step, conveyor_step, crusher_step,
};

Slot *object_spawn(u8 type, s16 x, s16 y)
{
    Slot *s = G.slots;
    for (u16 i = N_SLOTS; i; i--, s++) {
        if (s->type)
            continue;
        s->x = PX(x);
        s->y = PX(y);
        s->vx = 0;
        s->vy = 0;
        s->timer = 0;
        s->index = 0xFFFF;
        s->type = type;
        s->sub = 0;
        s->state = 0;
        s->frame = 0;
        s->flip = 0;
        return s;
    }
    return 0;
}

void object_remove(Slot *s)
{
    if (G.p.ride == (u8)(s - G.slots) + 1) {
        G.p.ride = 0;
        G.p.grounded = 0;
    }
    if (s->index != 0xFFFF)
        G.obj_flags[s->index] &= (u8)~OBJ_IS_ACTIVE;
    s->type = OBJ_NONE;
}

static void wake(u16 index)
{
    if (G.obj_flags[index])
        return;
    const ObjDef *d = &L->objs[index];
    Slot *s = object_spawn(d->type, d->x, d->y);
    if (!s)
        return;
    s->index = index;
    s->sub = d->sub;
    G.obj_flags[index] |= OBJ_IS_ACTIVE;
}

/* The window over the sorted list follows the camera in both directions. */
static void move_window(s16 left, s16 right)
{
    while (G.obj_hi < L->n_objs && (s16)L->objs[G.obj_hi].x < right)
        wake(G.obj_hi++);
    while (G.obj_hi > G.obj_lo && (s16)L->objs[G.obj_hi - 1].x >= right)
        G.obj_hi--;
    while (G.obj_lo && (s16)L->objs[G.obj_lo - 1].x >= left)
        wake(--G.obj_lo);
    while (G.obj_lo < G.obj_hi && (s16)L->objs[G.obj_lo].x < left)
        G.obj_lo++;
}

/* Sleeps once both its home and itself are out of reach, so that it cannot wake twice. */
static u8 is_out_of_reach(const Slot *s, s16 left, s16 right)
{
    s16 x = s->x >> 16;
    if (x >= left && x < right)
        return 0;
    if (s->index == 0xFFFF)
        return 1;
    s16 home = L->objs[s->index].x;
    return home < left || home >= right;
}

/* All asleep, the window empty at the camera's left: what lies between the place of a death and
 * the checkpoint must not wake on the way back. */
void objects_reset(void)
{
    s16 left = G.cam_x - WAKE_PX;
    u16 i = G.obj_lo;
    while (i && (s16)L->objs[i - 1].x >= left)
        i--;
    while (i < L->n_objs && (s16)L->objs[i].x < left)
        i++;
    G.obj_lo = i;
    G.obj_hi = i;
    for (i = 0; i < N_SLOTS; i++)
        G.slots[i].type = OBJ_NONE;
    for (i = 0; i < L->n_objs; i++)
        G.obj_flags[i] = 0;
}

void objects_step(void)
{
    s16 left = G.cam_x - WAKE_PX, right = G.cam_x + SCREEN_W + WAKE_PX;
    move_window(left, right);
    Slot *s = G.slots;
    for (u16 i = N_SLOTS; i; i--, s++) {
        if (!s->type)
            continue;
        if (is_out_of_reach(s, left, right)) {
            object_remove(s);
            continue;
        }
        step_of[s->type](s);
    }
}

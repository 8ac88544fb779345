/* The whole game state: one struct, so that a save is one copy. */
#ifndef STATE_H
#define STATE_H

#include "level.h"
#include "types.h"

#define SCREEN_W 320
#define SCREEN_H 224
#define N_SLOTS 40
#define MAX_OBJS 512
#define MAX_RINGS 512
#define MAX_LOST 32

#define LOAD_FRAMES 6 /* the rules wait so long while the ROM loads another screen's pictures */

enum { MODE_TITLE, MODE_LEVEL, MODE_CLEAR, MODE_OVER };

enum { BTN_UP = 1, BTN_DOWN = 2, BTN_LEFT = 4, BTN_RIGHT = 8, BTN_B = 16, BTN_C = 32,
       BTN_A = 64, BTN_START = 128, BTN_JUMP = 112 };

enum { SPRITE_IDLE, SPRITE_WALK, SPRITE_RUN, SPRITE_BALL, SPRITE_SPINDASH, SPRITE_CROUCH,
       SPRITE_SKID, SPRITE_PUSH, SPRITE_HURT, SPRITE_DEAD, SPRITE_SPRING, SPRITE_VICTORY,
       SPRITE_BALANCE };

enum { OBJ_NONE, OBJ_SPRING, OBJ_SPIKES, OBJ_PLATFORM, OBJ_CRUMBLE, OBJ_WALL, OBJ_CHECKPOINT,
       OBJ_GOAL, OBJ_WALKER, OBJ_FLYER, OBJ_SHOT, OBJ_EXPLOSION, OBJ_FRAGMENT, OBJ_SPARKLE,
       OBJ_DUST, OBJ_FAN, OBJ_CONVEYOR, OBJ_CRUSHER, OBJ_N_TYPES };

enum { DIR_UP, DIR_RIGHT, DIR_DOWN, DIR_LEFT, DIR_UP_RIGHT, DIR_UP_LEFT };

typedef struct {
    s32 x, y;        /* centre, 1/65536 px */
    s16 gsp, vx, vy; /* speed along the ground, and in the plane, 1/256 px per frame */
    s16 charge;      /* of the spin dash, 1/256 px per frame */
    s16 dead_frames;
    u8 angle;        /* 0..255, anticlockwise, 0 = floor, 64 = wall on the right */
    u8 grounded, ball, jumping, spindash, crouch, facing_left, layer;
    u8 lock;         /* frames without control on the ground */
    u8 invulnerable, hurt, dead, finished;
    u8 ride;         /* slot + 1 of the object stood on */
    u8 pushing, skidding, springing, balance;
    u8 sprite, sprite_frame, sprite_clock;
} Player;

typedef struct {
    s32 x, y;        /* centre, 1/65536 px */
    s16 vx, vy;
    s16 timer;
    u16 index;       /* in Level.objs, 0xFFFF for a spawned effect */
    u8 type, sub, state, frame, flip;
} Slot;

typedef struct {
    s32 x, y;
    s16 vx, vy;
    u8 life;         /* 0 = free; counts every second frame */
} LostRing;

typedef struct {
    u32 frame;       /* of the level, since its start */
    u32 rng;
    u32 score;
    u16 rings, timer_frames, timer_s;
    s16 cam_x, cam_y;
    u16 checkpoint_x, checkpoint_y, checkpoint_timer_s;
    u16 mode_frames, bonus_time, bonus_rings;
    u16 obj_lo, obj_hi, ring_lo, ring_hi;
    u8 mode, zone, act, lives, end_bonus, paused, pad, pressed, cursor, has_checkpoint;
    u8 cam_lag, extra_lives, lost_active;
    u8 loading;      /* frames left of LOAD_FRAMES */
    Player p;
    Slot slots[N_SLOTS];
    LostRing lost[MAX_LOST];
    u8 obj_flags[MAX_OBJS]; /* OBJ_IS_* */
    u8 ring_taken[MAX_RINGS];
} State;

enum { OBJ_IS_ACTIVE = 1, OBJ_IS_GONE = 2 };

extern State G;
extern const Level *L; /* of G.zone, G.act */

#endif

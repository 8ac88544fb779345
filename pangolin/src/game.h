/* What the modules of the game logic offer each other. */
#ifndef GAME_H
#define GAME_H

#include "state.h"

/* game.c */
void game_boot(void);
void game_start_level(u8 zone, u8 act);
void game_step(u8 pad);
void game_add_score(u16 points);
void game_add_ring(void);

/* maths.c */
s16 sine(u8 angle);
s16 cosine(u8 angle);
u8 random_u8(void);

/* terrain.c: distance to the first solid pixel behind (x, y), negative inside the solid. */
#define HIT_DIST(hit) ((s16)((hit) >> 8))
#define HIT_ANGLE(hit) ((u8)(hit))
s32 sense_down(s16 x, s16 y, u8 layer);
s32 sense_up(s16 x, s16 y, u8 layer);
s32 sense_right(s16 x, s16 y, u8 layer);
s32 sense_left(s16 x, s16 y, u8 layer);
s32 sense(u8 quadrant, s16 x, s16 y, u8 layer);
/* The same distance where it is negative, else just positive. */
s16 probe_up(s16 x, s16 y, u8 layer);
s16 probe_right(s16 x, s16 y, u8 layer);
s16 probe_left(s16 x, s16 y, u8 layer);
s16 probe(u8 quadrant, s16 x, s16 y, u8 layer);

/* player.c, player_air.c, player_ground.c, player_sprite.c */
#define STAND_RADIUS 15
#define BALL_RADIUS 12
#define FOOT_X 8
#define PUSH_X 9
#define INVULNERABLE_FRAMES 120
#define LAND_SLACK 8 /* feet so deep in the ground still land on it */
void player_reset(s16 x, s16 y);
void player_step(void);
void player_air_step(u8 pad);
void player_ground_step(u8 pad);
void player_choose_sprite(void);
void player_hurt(s16 from_x);
void player_die(void);
void player_curl(void);
u8 player_uncurl(void);
void player_leave_ground(void);
void player_land(u8 angle);
void player_push_out(void);
s16 player_radius(void);
#define PLAYER_X ((s16)(G.p.x >> 16))
#define PLAYER_Y ((s16)(G.p.y >> 16))

/* camera.c */
void camera_reset(void);
void camera_step(void);

/* objects/ */
void objects_reset(void);
void objects_step(void);
Slot *object_spawn(u8 type, s16 x, s16 y);
void object_remove(Slot *slot);
u8 player_overlaps(const Slot *slot, s16 half_w, s16 half_h);
enum { TOUCH_NONE, TOUCH_TOP, TOUCH_BOTTOM, TOUCH_LEFT, TOUCH_RIGHT };
u8 solid_touch(Slot *slot, s16 half_w, s16 half_h);
u8 oneway_touch(Slot *slot, s16 half_w, s16 half_h, s16 moved_x);
void spring_step(Slot *slot);
void spikes_step(Slot *slot);
void platform_step(Slot *slot);
void crumble_step(Slot *slot);
void wall_step(Slot *slot);
void checkpoint_step(Slot *slot);
void goal_step(Slot *slot);
void walker_step(Slot *slot);
void flyer_step(Slot *slot);
void shot_step(Slot *slot);
void effect_step(Slot *slot);
void fan_step(Slot *slot);
void conveyor_step(Slot *slot);
void crusher_step(Slot *slot);
void rings_reset(void);
void rings_step(void);
void rings_scatter(void);

#endif

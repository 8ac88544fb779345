/* Pictures compiled from art/ by tools/rom_assets.py. */
#ifndef ASSETS_H
#define ASSETS_H

#include "../types.h"

/* A hardware sprite of a picture; [1] is for the flipped picture. */
typedef struct {
    s16 dx[2], dy[2];
    u16 size; /* as the hardware's table wants it */
    u16 tile; /* from the objects' first, unless the frame is fixed */
} PieceDef;

typedef struct {
    u16 first_piece, n_pieces;
    u16 attribute; /* its palette */
    u16 fixed;     /* its pieces' tiles are VRAM's own numbers */
} FrameDef;

typedef struct {
    u16 y0, y1, speed; /* rows of the picture; 256 = with the foreground */
} BandDef;

typedef struct {
    const u16 *tiles;
    u16 n_tiles;
    const u16 *words; /* 64x32 */
    const u16 *palettes;
    const BandDef *bands;
    u16 n_bands;
} ZoneArt;

enum { PICTURE_RING, PICTURE_SPARKLE, PICTURE_DUST, PICTURE_LIFE, PICTURE_SPRING_UP,
       PICTURE_SPRING_SIDE, PICTURE_SPRING_DIAG, PICTURE_SPIKES_UP, PICTURE_SPIKES_SIDE,
       PICTURE_PLATFORM, PICTURE_CRUMBLE, PICTURE_WALL, PICTURE_FRAGMENT, PICTURE_CHECKPOINT,
       PICTURE_GOAL, PICTURE_WALKER, PICTURE_FLYER, PICTURE_SHOT, PICTURE_EXPLOSION,
       PICTURE_FAN, PICTURE_CONVEYOR, PICTURE_CRUSHER, N_PICTURES };

extern const u16 picture_first_frame[N_PICTURES];
extern const FrameDef frames[];
extern const PieceDef pieces[];
extern const u16 object_tiles[];
extern const u16 n_object_tiles;
extern const u16 goal_cells[][24 * 16], explosion_cells[][16 * 16];
extern const u16 player_cells[][256]; /* 16 tiles each */
extern const u8 player_first_cell[];  /* per entry of enum PlayerPicture */
extern const u16 font_tiles[];        /* 64 tiles */
extern const ZoneArt zone_art[3];
extern const u16 title_tiles[], n_title_tiles, title_words[], title_palettes[];

enum { CELL_IDLE, CELL_WALK_0, CELL_WALK_45, CELL_WALK_90, CELL_WALK_135, CELL_RUN_0, CELL_RUN_45,
       CELL_RUN_90, CELL_RUN_135, CELL_BALL, CELL_SPINDASH, CELL_CROUCH, CELL_SKID, CELL_PUSH,
       CELL_HURT, CELL_DEAD, CELL_SPRING, CELL_VICTORY, CELL_BALANCE };

#endif

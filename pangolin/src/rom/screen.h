/* What the parts of the ROM's drawing offer each other. */
#ifndef SCREEN_H
#define SCREEN_H

#include "../game.h"
#include "assets.h"
#include "vdp.h"

extern u16 object_base;  /* first tile of the objects' pictures */
extern u16 terrain_base; /* first tile of the act's terrain */

/* scroll.c */
void scroll_load(u8 part); /* 0 .. LOAD_FRAMES - 1 */
void scroll_build(void); /* after the game's step: what has come into view */
void scroll_flush(void); /* in the vertical blank */

/* sprites.c */
void sprites_reset(void);
void sprites_build(void);
void sprites_flush(void);
void sprites_keep(void);
void sprites_begin(void);
void sprites_end(void);
void sprite_put(s16 x, s16 y, u8 columns, u8 rows, u16 attribute);
void picture_put(u8 picture, u8 frame, s16 x, s16 y, u8 hflip, u8 vflip);

/* hud.c */
void hud_reset(void);
void hud_build(void);
void hud_flush(void);

/* screens.c */
void screens_load_title(u8 part);
void screens_build(void);
void screens_flush(void);
void text_at(u16 plane, u8 column, u8 row, const char *text);

/* Digits of a number right-aligned into out. */
void format_number(char *out, u8 width, u32 value, char fill);

#endif

/* The video chip: with boot.s the only place that touches hardware. */
#ifndef VDP_H
#define VDP_H

#include "../types.h"

#define PLANE_A 0xC000
#define SPRITES 0xD000
#define HSCROLL 0xD400
#define FONT_VRAM 0xD800 /* 64 tiles */
#define PLANE_B 0xE000
#define HUD_VRAM 0xF000  /* 48 tiles */
#define PLAYER_VRAM 0xF800
#define GOAL_VRAM 0xFA00      /* 24 tiles, as in tools/art.py */
#define EXPLOSION_VRAM 0xFD00 /* 16 tiles, as in tools/art.py */

#define TILE_OF(vram) ((vram) >> 5)
#define PLANE_W 64
#define PLANE_H 32

/* Inline: the loops that feed the chip would else spend most of their time on calls. */
static inline void vdp_put(u16 word)
{
    *(volatile u16 *)0xC00000 = word;
}

void vdp_init(void);
void vdp_display(u8 on);
void vdp_write_at(u16 vram, u8 step); /* next vdp_put goes there, then step bytes on */
void vdp_copy(u16 vram, const u16 *from, u16 n_words);
void vdp_fill(u16 vram, u16 word, u16 n_words);
void vdp_dma(u16 vram, const void *from, u16 n_words);
void vdp_palettes(const u16 *words); /* 64 colours */
void vdp_vscroll(s16 a, s16 b);
u8 pad_read(void);

/* boot.s */
void wait_for_frame(void);

#endif

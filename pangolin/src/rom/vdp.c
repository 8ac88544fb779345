/* Video chip and pad ports. */
#include "vdp.h"

#define DATA (*(volatile u16 *)0xC00000)
#define CONTROL (*(volatile u16 *)0xC00004)
#define CONTROL32 (*(volatile u32 *)0xC00004)
#define PAD (*(volatile u8 *)0xA10003)

static const u16 registers[] = {
    0x8004, /* no horizontal interrupt */
    0x8134, /* display off, vertical interrupt, DMA */
    0x8200 | PLANE_A >> 10,
    0x8300,
    0x8400 | PLANE_B >> 13,
    0x8500 | SPRITES >> 9,
    0x8700, /* backdrop: colour 0 */
    0x8B02, /* scroll: whole planes up and down, rows of tiles sideways */
    0x8C81, /* 320 pixels wide */
    0x8D00 | HSCROLL >> 10,
    0x8F02,
    0x9001, /* planes of 64x32 tiles */
    0x9100, 0x9200,
};

void vdp_init(void)
{
    for (u16 i = 0; i < sizeof(registers) / 2; i++)
        CONTROL = registers[i];
    vdp_fill(0, 0, 0x8000);
    CONTROL32 = 0xC0000000;
    for (u16 i = 0; i < 64; i++)
        DATA = 0;
    vdp_vscroll(0, 0);
}

void vdp_display(u8 on)
{
    CONTROL = on ? 0x8174 : 0x8134;
}

void vdp_write_at(u16 vram, u8 step)
{
    CONTROL = 0x8F00 | step;
    CONTROL32 = 0x40000000 | (u32)(vram & 0x3FFF) << 16 | vram >> 14;
}

void vdp_copy(u16 vram, const u16 *from, u16 n_words)
{
    vdp_write_at(vram, 2);
    for (; n_words; n_words--)
        DATA = *from++;
}

void vdp_fill(u16 vram, u16 word, u16 n_words)
{
    vdp_write_at(vram, 2);
    for (; n_words; n_words--)
        DATA = word;
}

static void dma_part(u16 vram, u32 source, u16 n_words)
{
    CONTROL = 0x9300 | (n_words & 0xFF);
    CONTROL = 0x9400 | n_words >> 8;
    CONTROL = 0x9500 | (source & 0xFF);
    CONTROL = 0x9600 | (source >> 8 & 0xFF);
    CONTROL = 0x9700 | (source >> 16 & 0x7F);
    CONTROL32 = 0x40000080 | (u32)(vram & 0x3FFF) << 16 | vram >> 14;
}

/* The chip counts the source within 64 Ki words only: what crosses into the next goes in two. */
void vdp_dma(u16 vram, const void *from, u16 n_words)
{
    u32 source = (u32)from >> 1;
    u16 to_border = -(u16)source;
    CONTROL = 0x8F02;
    if (to_border && n_words > to_border) {
        dma_part(vram, source, to_border);
        source += to_border;
        vram += to_border * 2;
        n_words -= to_border;
    }
    dma_part(vram, source, n_words);
}

void vdp_palettes(const u16 *words)
{
    CONTROL = 0x8F02;
    CONTROL32 = 0xC0000000;
    for (u16 i = 0; i < 64; i++)
        DATA = words[i];
}

void vdp_vscroll(s16 a, s16 b)
{
    CONTROL = 0x8F02;
    CONTROL32 = 0x40000010;
    DATA = a;
    DATA = b;
}

/* BTN_* bits: up, down, left, right, B, C, A, start. */
u8 pad_read(void)
{
    PAD = 0x40;
    __asm__ volatile("nop\n\tnop");
    u8 high = PAD; /* ..CBRLDU, 0 = pressed */
    PAD = 0x00;
    __asm__ volatile("nop\n\tnop");
    u8 low = PAD; /* ..SA00DU */
    PAD = 0x40;
    return (u8)~((high & 0x3F) | (low & 0x30) << 2);
}

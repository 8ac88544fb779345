/*
 * A Genesis program that does at random what games do to the chips, and keeps in its RAM all that
 * it can find out about them: the emulator's fast path has to give it the same answers.
 *
 * With LOOKS_AT_SPRITE_FLAGS it also reads the flags that only drawing sets; the fast path must
 * refuse that game. With NARROW its screen is 256 pixels wide, else 320.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define VDP_DATA (*(volatile u16 *)0xC00000)
#define VDP_CONTROL (*(volatile u16 *)0xC00004)
#define VDP_COUNTER (*(volatile u16 *)0xC00008)
#define PSG (*(volatile u8 *)0xC00011)
#define FM ((volatile u8 *)0xA04000)
#define Z80_RAM ((volatile u8 *)0xA00000)
#define Z80_BUS (*(volatile u16 *)0xA11100)
#define Z80_RESET (*(volatile u16 *)0xA11200)
#define PAD_DATA (*(volatile u8 *)0xA10003)
#define PAD_DIRECTION (*(volatile u8 *)0xA10009)
#define NOTES ((u16 *)0xFF0000) /* 16384 words, filled in a circle */

#ifdef NARROW
#define WIDTH 0
#else
#define WIDTH 0x81
#endif

static u32 seed;
static u16 n_notes;
static u16 n_frames;

void start(void);
void on_vblank(void);
void on_line(void);
static void on_error(void) { for (;;) {} }

__attribute__((section(".vectors"), used)) static void (*const vectors[64])(void) = {
    (void (*)(void))0xFFFE00, start,
    [2 ... 27] = on_error, [28] = on_line, on_error, on_vblank, [31 ... 63] = on_error};
__attribute__((section(".header"), used)) static const char header[256] =
    "SEGA MEGA DRIVE TEST            ";

/* Polls the FM chip's status into its RAM and plays numbers as samples, for ever. */
static const u8 z80_program[] = {
    0xF3, 0x21, 0x00, 0x10,       /* di; ld hl, 0x1000 */
    0x3A, 0x00, 0x40, 0x77, 0x2C, /* ld a, (0x4000); ld (hl), a; inc l */
    0x3E, 0x2A, 0x32, 0x00, 0x40, /* ld a, 0x2A; ld (0x4000), a */
    0x7D, 0x32, 0x01, 0x40,       /* ld a, l; ld (0x4001), a */
    0x18, 0xF0};                  /* jr to the first load */

static u16 draw(void)
{
    seed = (seed << 5) + seed + 0x3039; /* no 32-bit multiplication on this processor */
    seed ^= seed >> 7;
    return (u16)(seed >> 8);
}

static void note(u16 value) { NOTES[n_notes++ & 0x3FFF] = value; }
static void set_register(u16 number, u16 value) { VDP_CONTROL = 0x8000 | number << 8 | value; }

static void point_at(u16 address, u16 code) /* 1 video RAM, 3 colours, 5 vertical scroll */
{
    VDP_CONTROL = (code & 3) << 14 | (address & 0x3FFF);
    VDP_CONTROL = (code >> 2) << 4 | address >> 14;
}

static void write_fm(u16 part, u8 number, u8 value)
{
    Z80_BUS = 0x100;
    while (Z80_BUS & 0x100) {}
    note(FM[0]);
    FM[part] = number;
    FM[part + 1] = value;
    note(FM[0]);
    Z80_BUS = 0;
}

/* Link, place and size at random; none that masks others on the first line. */
static void move_sprite(u16 number)
{
    u16 x = draw() & 0x1FF, y = 0x60 + (draw() & 0x13F);
    if (x == 0 && y < 0x82)
        y = 0x90;
    point_at(0xF000 + number * 8, 1);
    VDP_DATA = y;
    VDP_DATA = (draw() & 0xF) << 8 | (draw() & 15 ? number + 1 : draw() % 80);
    VDP_DATA = draw();
    VDP_DATA = draw() & 7 ? x : 1;
}

static void act(void)
{
    u16 choice = draw() & 15, value = draw();
    if (choice < 3)
        write_fm(value & 2, value >> 8, draw());
    else if (choice < 5)
        write_fm(0, 0x24 + (value & 3), draw() & 0x3F); /* timers: values and control */
    else if (choice < 6)
        write_fm(0, value & 1 ? 0x28 : 0x2B, draw());
    else if (choice < 8)
        PSG = value;
    else if (choice < 11)
        move_sprite(value % 80);
    else if (choice < 13) {
        point_at(value & 0xEFFE, 1);
        VDP_DATA = draw();
    } else if (choice < 14) {
        point_at(value & 0x7E, 3);
        VDP_DATA = draw() & 0xEEE;
    } else if (choice < 15) {
        point_at(value & 0x7E, 5);
        VDP_DATA = draw() & 0x3FF;
    } else
        note(VDP_COUNTER);
#ifdef LOOKS_AT_SPRITE_FLAGS
    note(VDP_CONTROL & 0x69);
#else
    note(VDP_CONTROL & 0x09);
#endif
}

/* Screen modes change seldom: highlights, double resolution, display off, line interrupts. */
static void change_mode(void)
{
    static const u8 modes[8] = {0, 0, 0, 8, 8, 0, 6, 2};
    set_register(12, WIDTH | modes[draw() & 7]);
    set_register(1, draw() & 7 ? 0x64 : 0x24);
    set_register(10, draw() & 63);
    set_register(11, draw() & 7);
    set_register(0, draw() & 1 ? 0x14 : 0x04);
}

__attribute__((interrupt_handler)) void on_vblank(void)
{
    PAD_DATA = 0x40;
    seed += PAD_DATA;
    note(0xF000 | PAD_DATA);
    if ((++n_frames & 15) == 0)
        change_mode();
}

__attribute__((interrupt_handler)) void on_line(void)
{
    note(VDP_COUNTER);
    set_register(7, VDP_COUNTER >> 8 & 0x3F);
}

void start(void)
{
    static const u8 registers[] = {0x14, 0x64, 0x30, 0x3C, 7,  0x78, 0, 0,  0,    0,
                                   31,   0,    WIDTH, 0x3F, 0,  2,    1, 0,  0};
    seed = 12345;
    n_notes = n_frames = 0;
    PAD_DIRECTION = 0x40;
    Z80_BUS = 0x100;
    Z80_RESET = 0x100;
    for (u16 i = 0; i < sizeof z80_program; ++i)
        Z80_RAM[i] = z80_program[i];
    Z80_RESET = 0;
    Z80_BUS = 0;
    for (u16 i = 0; i < 100; ++i)
        __asm__ volatile("nop");
    Z80_RESET = 0x100;
    for (u16 i = 0; i < sizeof registers; ++i)
        set_register(i, registers[i]);
    for (u16 i = 0; i < 80; ++i)
        move_sprite(i);
    __asm__ volatile("move.w #0x2000, %sr");
    for (;;) {
        /* An interrupt between the two halves of an address would be the game's own mistake. */
        __asm__ volatile("move.w #0x2700, %sr");
        for (u16 i = draw() & 15; i; --i)
            act();
        __asm__ volatile("move.w #0x2000, %sr");
        for (u16 i = draw() & 63; i; --i)
            __asm__ volatile("nop");
    }
}

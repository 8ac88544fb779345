/*
 * What core_native.py maps beside the Genesis core: a few small routines in position-independent
 * code. `python -m sonic_sb3.envs.core_build` compiles this file into core_code.py.
 *
 * run_frame       one emulator frame without synthesising its sound
 * run_frames      several of them, with the game's variables after each
 * read_variables  the game's variables now
 * run_timers      the part of the YM2612 that the machine can see, in place of the whole chip
 * list_sprites    the sprites of the next line, from a table instead of a walk through all sprites
 * shrink_to_96    the area resize of the observation, bit for bit as OpenCV computes it
 * shrink_to_64    the same for smaller ones
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;
/* Four words of the console's, which lie anywhere. */
typedef u64 __attribute__((aligned(2), may_alias)) words;

/* The YM2612's general state as the core lays it out. Only timers and status reach the buses. */
struct fm_timers {
    u16 address;
    u8 status;
    u32 mode; /* bits 0, 1: timer A, B runs; bits 2, 3: its overflow sets the status bit */
    u8 fn_h;
    int ta, ta_load, ta_count;
    int tb, tb_load, tb_count;
};

typedef void (*fm_update)(int *samples, int n_samples);
typedef void (*list_line)(int line);

/* Filled by core_native.py, in this order, eight bytes each. */
__attribute__((section(".core"), visibility("hidden"))) struct {
    void (*system_frame)(int is_hidden);
    fm_update *fm_update_slot;
    const u32 *frame_cycles;
    u32 *fm_cycles_count;
    u32 *fm_cycles_start;
    const u32 *fm_cycles_ratio;
    int **fm_write_position;
    int *fm_buffer;
    u32 *psg_clocks;
    struct fm_timers *timers;
    list_line *list_line_slot;
    list_line list_line; /* what that slot holds in mode 5, all cartridges' mode */
    const words *sprite_cache;
    const u8 *video_ram;
    const u16 *sprite_table; /* its offset in video RAM */
    const int *line_width;
    const u16 *max_sprite_pixels;
    const u8 *is_double_resolution;
    words *line_sprites; /* two lists, for even and odd lines */
    u8 *line_counts;
    u16 *video_status;
    const u8 *work_ram; /* as the core keeps it: the two bytes of each word exchanged */
} core;

/* Cycles of one step of the PSG: 15 to its clock, 16 clocks to a step. */
enum { PSG_STEP_CYCLES = 240, NEVER = 0x7fffffff };

/*
 * Timers A and B after n_samples, in closed form. The chip counts A down once a sample and B once
 * a call, by all its samples. The samples themselves, envelopes and phases are left out: nothing
 * but the loudspeaker depends on them.
 */
void run_timers(int *samples, int n_samples)
{
    struct fm_timers *t = core.timers;
    (void)samples;
    if (t->mode & 1) {
        int left = n_samples;
        int count = t->ta_count < 1 ? 1 : t->ta_count;
        while (left >= count) {
            left -= count;
            if (t->mode & 4)
                t->status |= 1;
            count = t->ta_load < 1 ? 1 : t->ta_load;
        }
        t->ta_count = count - left;
    }
    if (t->mode & 2) {
        t->tb_count -= n_samples;
        if (t->tb_count <= 0) {
            if (t->mode & 8)
                t->status |= 2;
            do {
                t->tb_count += t->tb_load;
            } while (t->tb_count <= 0 && t->tb_load > 0); /* a forged save state may say 0 */
        }
    }
}

/*
 * The core finds the sprites of each line by following the links through up to 80 of them. Here it
 * is done once for all lines, and again when the core's cache of the sprites' positions changes.
 */
enum { N_SPRITES = 80, N_LINES = 256, LINE_SPRITES = 20, TOO_MANY_SPRITES = 0x40 };

__attribute__((section(".table"), visibility("hidden"))) struct {
    u32 n_compared; /* sprites that the links lead to lie below this one; 0: no table yet */
    int width;
    u32 max_pixels;
    u64 cache[N_SPRITES];
    u8 counts[N_LINES];
    u8 is_over[N_LINES];
    u8 sprites[N_LINES][LINE_SPRITES];
} table;

static int is_table_valid(int width, u32 max_pixels)
{
    u64 difference = 0;
    if (table.n_compared == 0 || table.width != width || table.max_pixels != max_pixels)
        return 0;
    for (u32 i = 0; i < table.n_compared; ++i)
        difference |= table.cache[i] ^ core.sprite_cache[i];
    return difference == 0;
}

static void fill_table(int width, u32 max_pixels)
{
    u32 sprite = 0, max_count = (u32)width >> 4, left = max_pixels >> 2;
    table.width = width;
    table.max_pixels = max_pixels;
    table.n_compared = 0;
    for (u32 i = 0; i < N_LINES; ++i)
        table.counts[i] = table.is_over[i] = 0;
    do {
        u64 entry = core.sprite_cache[sprite];
        int top = (int)(entry & 0x1ff) - 0x80;
        int bottom = top + 8 + ((int)(entry >> 24 & 3) << 3);
        for (int y = top < 0 ? 0 : top; y < bottom && y < N_LINES; ++y) {
            if (table.counts[y] == max_count)
                table.is_over[y] = 1;
            else
                table.sprites[y][table.counts[y]++] = (u8)sprite;
        }
        table.cache[sprite] = entry;
        if (sprite >= table.n_compared) {
            /* A skipped sprite is compared as well: it costs less than to leave it out. */
            for (u32 i = table.n_compared; i < sprite; ++i)
                table.cache[i] = core.sprite_cache[i];
            table.n_compared = sprite + 1;
        }
        sprite = (u32)(entry >> 16) & 0x7f;
    } while (sprite != 0 && (int)sprite * 4 < width && --left);
}

void list_sprites(int line)
{
    int width = *core.line_width;
    u32 max_pixels = *core.max_sprite_pixels;
    int y = line + 1;
    int is_usual = (u32)width <= 320 && max_pixels >= 4 && y >= 0 && y < N_LINES;
    if (*core.is_double_resolution || !is_usual) {
        core.list_line(line);
        return;
    }
    if (!is_table_valid(width, max_pixels))
        fill_table(width, max_pixels);
    const words *attributes = (const words *)(core.video_ram + *core.sprite_table);
    words *list = core.line_sprites + (y & 1) * LINE_SPRITES;
    u32 count = table.counts[y];
    for (u32 i = 0; i < count; ++i) {
        u32 sprite = table.sprites[y][i];
        u64 entry = table.cache[sprite], now = attributes[sprite];
        u64 from_top = (u64)(y + 0x80) - (entry & 0x1ff);
        /* 16 bits each: line of the sprite, x, attributes, size */
        list[i] = from_top | (now >> 48 & 0x1ff) << 16 | (now >> 32 & 0xffff) << 32
                  | (entry >> 24 & 0xf) << 48;
    }
    if (table.is_over[y])
        *core.video_status |= TOO_MANY_SPRITES;
    core.line_counts[y & 1] = (u8)count;
}

/*
 * One frame with both sound chips reduced to what the machine can see of them. Their clocks are
 * brought to the next frame as the core's own end-of-frame work does, and the core is left
 * unmodified, so a plain frame can follow any time.
 */
void run_frame(int is_hidden)
{
    fm_update synthesis = *core.fm_update_slot;
    u32 psg = *core.psg_clocks;
    *core.fm_update_slot = run_timers;
    *core.psg_clocks = NEVER; /* register writes find the PSG up to date and synthesise nothing */
    if (!is_hidden && *core.list_line_slot == core.list_line)
        *core.list_line_slot = list_sprites;

    core.system_frame(is_hidden);

    if (*core.list_line_slot == list_sprites) /* else the game has changed the mode */
        *core.list_line_slot = core.list_line;
    u32 cycles = *core.frame_cycles, ratio = *core.fm_cycles_ratio;
    u32 fm = *core.fm_cycles_count;
    if (cycles > fm)
        run_timers(0, (int)((cycles - fm + ratio - 1) / ratio));
    /* Like the core, forget samples of writes that a processor did beyond the frame's end. */
    fm = *core.fm_cycles_start;
    fm += (cycles - fm + ratio - 1) / ratio * ratio;
    *core.fm_cycles_count = *core.fm_cycles_start = fm - cycles;
    *core.fm_write_position = core.fm_buffer;

    if (cycles > psg)
        psg += (cycles - psg + PSG_STEP_CYCLES - 1) / PSG_STEP_CYCLES * PSG_STEP_CYCLES;
    *core.psg_clocks = psg - cycles;
    *core.fm_update_slot = synthesis;
}

/* A number in the work RAM, most significant byte first. Laid out by fast_core.py. */
struct variable {
    u16 offset;
    u8 n_bytes;
    u8 is_signed;
};

/* What the variables are now, to log. */
void read_variables(const struct variable *variables, u32 n_variables, s64 *log)
{
    for (u32 i = 0; i < n_variables; ++i) {
        struct variable v = variables[i];
        u64 value = v.is_signed && core.work_ram[v.offset ^ 1] >= 0x80 ? ~0ull : 0;
        for (u32 k = 0; k < v.n_bytes; ++k)
            value = value << 8 | core.work_ram[(u16)(v.offset + k) ^ 1];
        log[i] = (s64)value;
    }
}

/*
 * Frames with the same buttons, of which only the last is drawn, unless that is hidden too. What
 * the variables are after each frame is written to log, a row a frame, so that whoever counts by
 * frames need not be called between them.
 */
void run_frames(u32 n_frames, int is_last_hidden, const struct variable *variables, u32 n_variables,
                s64 *log)
{
    for (u32 frame = 0; frame < n_frames; ++frame) {
        run_frame(is_last_hidden || frame + 1 < n_frames);
        read_variables(variables, n_variables, log + frame * n_variables);
    }
}

/*
 * 320x224 to 96x96. An output pixel covers 10/3 x 7/3 input pixels; in units of a third of a pixel
 * the weights are whole (rows add up to 7, columns to 10), so 16-bit sums are exact and an output
 * is sum / 70. OpenCV adds 32-bit floats instead. It lands on the same integer except where sum /
 * 70 lies halfway between two of them: there its rounding errors decide, so its additions are
 * repeated in its order.
 */
enum { IN_W = 320, OUT_W = 96, OUT_H = 96, AREA = 70 };

static const float COLUMN_WEIGHTS[3][4] = {
    {0.3f, 0.3f, 0.3f, 0.1f}, {0.2f, 0.3f, 0.3f, 0.2f}, {0.1f, 0.3f, 0.3f, 0.3f}};
static const float ROW_WEIGHTS[3][3] = {
    {(float)(3.0 / 7), (float)(3.0 / 7), (float)(1.0 / 7)},
    {(float)(2.0 / 7), (float)(3.0 / 7), (float)(2.0 / 7)},
    {(float)(1.0 / 7), (float)(3.0 / 7), (float)(3.0 / 7)}};

static u8 shrink_tie(const u8 *rows, u32 out_x, u32 row_phase)
{
    u32 phase = out_x % 3;
    const u8 *first = rows + out_x / 3 * 10 + phase * 3;
    float total = 0;
    for (u32 y = 0; y < 3; ++y) {
        float sum = 0;
        for (u32 x = 0; x < 4; ++x)
            sum += first[y * IN_W + x] * COLUMN_WEIGHTS[phase][x];
        total += sum * ROW_WEIGHTS[row_phase][y];
    }
    return (u8)__builtin_ia32_cvtss2si((__attribute__((vector_size(16))) float){total, 0, 0, 0});
}

void shrink_to_96(const u8 *grey, u8 *out)
{
    u16 columns[IN_W];
    u16 sums[OUT_W];
    for (u32 out_y = 0; out_y < OUT_H; ++out_y, out += OUT_W) {
        u32 row_phase = out_y % 3;
        const u8 *rows = grey + (out_y / 3 * 7 + row_phase * 2) * IN_W;
        u16 top = (u16)(3 - row_phase), bottom = (u16)(1 + row_phase);
        for (u32 x = 0; x < IN_W; ++x)
            columns[x] = (u16)(rows[x] * top + rows[x + IN_W] * 3 + rows[x + 2 * IN_W] * bottom);
        for (u32 x = 0; x < OUT_W; x += 3) {
            const u16 *c = columns + x / 3 * 10;
            sums[x] = (u16)((c[0] + c[1] + c[2]) * 3 + c[3] + AREA / 2);
            sums[x + 1] = (u16)((c[3] + c[6]) * 2 + (c[4] + c[5]) * 3 + AREA / 2);
            sums[x + 2] = (u16)(c[6] + (c[7] + c[8] + c[9]) * 3 + AREA / 2);
        }
        for (u32 x = 0; x < OUT_W; ++x) {
            u32 rounded = (u32)sums[x] * 59919u >> 22; /* sums[x] / 70, exact below 161,000 */
            sums[x] = (u16)(sums[x] - rounded * AREA);
            out[x] = (u8)rounded;
        }
        for (u32 x = 0; x < OUT_W; ++x)
            if (sums[x] == 0)
                out[x] = shrink_tie(rows, x, row_phase);
    }
}

/*
 * 320x224 to 64x64: an output pixel covers 5 x 3.5 input pixels. In halves of a row the weights add up
 * to 35, which is odd, so no sum lies halfway and rounding the exact one gives what OpenCV's gives.
 */
enum { SMALL_W = 64, SMALL_H = 64, SMALL_AREA = 35 };

void shrink_to_64(const u8 *grey, u8 *out)
{
    u16 columns[IN_W];
    u16 sums[SMALL_W];
    for (u32 out_y = 0; out_y < SMALL_H; ++out_y, out += SMALL_W) {
        u32 row_phase = out_y % 2;
        const u8 *rows = grey + out_y * 7 / 2 * IN_W;
        u16 top = (u16)(2 - row_phase), bottom = (u16)(1 + row_phase);
        for (u32 x = 0; x < IN_W; ++x)
            columns[x] = (u16)(rows[x] * top + (rows[x + IN_W] + rows[x + 2 * IN_W]) * 2
                               + rows[x + 3 * IN_W] * bottom);
        for (u32 x = 0; x < SMALL_W; ++x) {
            const u16 *c = columns + x * 5;
            sums[x] = (u16)(c[0] + c[1] + c[2] + c[3] + c[4] + SMALL_AREA / 2);
        }
        for (u32 x = 0; x < SMALL_W; ++x)
            out[x] = (u8)(sums[x] * 59919u >> 21); /* sums[x] / 35, exact below 161,000 */
    }
}

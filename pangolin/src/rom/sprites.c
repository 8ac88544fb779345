/* Sprites of the player and of the objects on screen. */
#include "screen.h"

#define MAX_SPRITES 80
#define HFLIP 0x800
#define VFLIP 0x1000

typedef struct {
    u16 y, size_link, attribute, x;
} HardwareSprite;

/* The first ones are the HUD's, which stay as they are. */
static HardwareSprite table[MAX_SPRITES];
static u16 n_sprites, n_hud_sprites;
static s16 shown_cell, wanted_cell, shown_goal, wanted_goal, shown_explosion, wanted_explosion;

void sprites_reset(void)
{
    shown_cell = -1;
    wanted_cell = -1;
    shown_goal = -1;
    wanted_goal = -1;
    shown_explosion = -1;
    wanted_explosion = -1;
    n_sprites = 0;
    n_hud_sprites = 0;
}

/* What was put since the reset stays in the table. */
void sprites_keep(void)
{
    n_hud_sprites = n_sprites;
}

void sprites_begin(void)
{
    n_sprites = n_hud_sprites;
    if (n_sprites) /* sprites_end may have made it the last one */
        table[n_sprites - 1].size_link = (table[n_sprites - 1].size_link & 0xFF00) | n_sprites;
}

/* x, y: top left on screen; attribute: palette, flips and tile. */
void sprite_put(s16 x, s16 y, u8 columns, u8 rows, u16 attribute)
{
    if (n_sprites >= MAX_SPRITES)
        return;
    HardwareSprite *s = &table[n_sprites++];
    s->y = y + 128;
    s->size_link = (columns - 1) << 10 | (rows - 1) << 8 | n_sprites;
    s->attribute = attribute;
    s->x = x + 128;
}

void picture_put(u8 picture, u8 frame, s16 x, s16 y, u8 hflip, u8 vflip)
{
    if (x < -32 || x > SCREEN_W + 32 || y < -32 || y > SCREEN_H + 32)
        return;
    const FrameDef *f = &frames[picture_first_frame[picture] + frame];
    const PieceDef *p = &pieces[f->first_piece];
    u16 attribute = f->attribute | (hflip ? HFLIP : 0) | (vflip ? VFLIP : 0);
    if (!f->fixed)
        attribute += object_base;
    x += 128;
    y += 128;
    u16 n = n_sprites;
    HardwareSprite *s = &table[n];
    for (u16 i = f->n_pieces; i && n < MAX_SPRITES; i--, p++, s++) {
        s->x = x + p->dx[hflip];
        s->y = y + p->dy[vflip];
        s->size_link = p->size | ++n;
        s->attribute = attribute + p->tile;
    }
    n_sprites = n;
}

static u8 cell_of(u8 sprite, u8 octant)
{
    static const u8 first[] = {
        CELL_IDLE, CELL_WALK_0, CELL_RUN_0, CELL_BALL, CELL_SPINDASH, CELL_CROUCH, CELL_SKID,
        CELL_PUSH, CELL_HURT, CELL_DEAD, CELL_SPRING, CELL_VICTORY, CELL_BALANCE,
    };
    u8 cell = first[sprite];
    if (sprite == SPRITE_WALK || sprite == SPRITE_RUN)
        cell += octant & 3;
    return player_first_cell[cell];
}

static void put_player(void)
{
    const Player *p = &G.p;
    if (p->invulnerable & 4 && !p->dead)
        return;
    u8 octant = 0;
    if (p->sprite == SPRITE_WALK || p->sprite == SPRITE_RUN)
        octant = (u8)((p->facing_left ? -p->angle : p->angle) + 16) >> 5;
    wanted_cell = cell_of(p->sprite, octant) + p->sprite_frame;
    u16 flips = octant & 4 ? HFLIP | VFLIP : 0;
    if (p->facing_left)
        flips ^= HFLIP;
    s16 x = PLAYER_X - G.cam_x - 16, y = PLAYER_Y - G.cam_y - 16;
    if (p->sprite == SPRITE_SPINDASH)
        y -= STAND_RADIUS - BALL_RADIUS;
    else if (p->ball && p->grounded && (u8)(p->angle + 32) < 64)
        y -= 2; /* the picture is a little larger than the box */
    sprite_put(x, y, 4, 4, TILE_OF(PLAYER_VRAM) | flips);
}

static void put_slot(const Slot *s)
{
    s16 x = (s16)(s->x >> 16) - G.cam_x, y = (s16)(s->y >> 16) - G.cam_y;
    if (x < -32 || x > SCREEN_W + 32 || y < -32 || y > SCREEN_H + 32)
        return;
    if (s->type == OBJ_GOAL)
        wanted_goal = s->frame;
    else if (s->type == OBJ_EXPLOSION)
        wanted_explosion = s->frame;
    switch (s->type) {
    case OBJ_SPRING:
        if (s->sub == DIR_UP || s->sub == DIR_DOWN)
            picture_put(PICTURE_SPRING_UP, s->frame, x, y, 0, s->sub == DIR_DOWN);
        else if (s->sub == DIR_LEFT || s->sub == DIR_RIGHT)
            picture_put(PICTURE_SPRING_SIDE, s->frame, x, y, s->sub == DIR_LEFT, 0);
        else
            picture_put(PICTURE_SPRING_DIAG, s->frame, x, y, s->sub == DIR_UP_LEFT, 0);
        break;
    case OBJ_SPIKES:
        if (s->sub == DIR_UP || s->sub == DIR_DOWN)
            picture_put(PICTURE_SPIKES_UP, 0, x, y, 0, s->sub == DIR_DOWN);
        else
            picture_put(PICTURE_SPIKES_SIDE, 0, x, y, s->sub == DIR_LEFT, 0);
        break;
    default: {
        static const u8 picture_of[OBJ_N_TYPES] = {
            0, 0, 0, PICTURE_PLATFORM, PICTURE_CRUMBLE, PICTURE_WALL, PICTURE_CHECKPOINT,
            PICTURE_GOAL, PICTURE_WALKER, PICTURE_FLYER, PICTURE_SHOT, PICTURE_EXPLOSION,
            PICTURE_FRAGMENT, PICTURE_SPARKLE, PICTURE_DUST, PICTURE_FAN, PICTURE_CONVEYOR,
            PICTURE_CRUSHER,
        };
        picture_put(picture_of[s->type], s->frame, x, y, s->flip, 0);
        break;
    }
    }
}

/* A ring's sprite but for its place: there can be dozens of them, so what they share is looked up
 * once. dx, dy lead from the level to the hardware's coordinates. */
typedef struct {
    u16 size, attribute;
    s16 dx, dy;
} RingSprite;

static RingSprite ring_sprite(u8 frame)
{
    const FrameDef *f = &frames[picture_first_frame[PICTURE_RING] + frame];
    const PieceDef *piece = &pieces[f->first_piece];
    RingSprite ring = {
        piece->size,
        f->attribute + object_base + piece->tile,
        128 + piece->dx[0] - G.cam_x,
        128 + piece->dy[0] - G.cam_y,
    };
    return ring;
}

/* n sprites are in the table; returns how many are then. */
static inline u16 put_ring(const RingSprite *ring, u16 n, s16 x, s16 y)
{
    u16 screen_x = x + ring->dx, screen_y = y + ring->dy;
    if (screen_y <= 128 - 16 || screen_y >= 128 + SCREEN_H || screen_x <= 128 - 16 ||
        screen_x >= 128 + SCREEN_W || n >= MAX_SPRITES)
        return n;
    HardwareSprite *s = &table[n++];
    s->y = screen_y;
    s->size_link = ring->size | n;
    s->attribute = ring->attribute;
    s->x = screen_x;
    return n;
}

static void put_rings(void)
{
    RingSprite ring = ring_sprite((G.frame >> 3) & 3);
    const RingDef *r = &L->rings[G.ring_lo];
    const u8 *taken = &G.ring_taken[G.ring_lo];
    u16 n = n_sprites;
    for (s16 i = G.ring_hi - G.ring_lo; i > 0; i--, r++)
        if (!*taken++)
            n = put_ring(&ring, n, r->x, r->y);
    n_sprites = n;
}

static void put_lost_rings(void)
{
    RingSprite ring = ring_sprite((G.frame >> 2) & 3);
    const LostRing *r = G.lost;
    u16 n = n_sprites;
    for (u16 i = MAX_LOST; i; i--, r++)
        if (r->life && (r->life > 60 || r->life & 4))
            n = put_ring(&ring, n, r->x >> 16, r->y >> 16);
    n_sprites = n;
}

void sprites_build(void)
{
    put_player();
    const Slot *s = G.slots;
    for (u16 i = N_SLOTS; i; i--, s++)
        if (s->type)
            put_slot(s);
    put_rings();
    if (G.lost_active)
        put_lost_rings();
}

void sprites_end(void)
{
    if (n_sprites == 0)
        sprite_put(-128, -128, 1, 1, 0);
    table[n_sprites - 1].size_link &= 0xFF00;
}

void sprites_flush(void)
{
    vdp_dma(SPRITES, table, n_sprites * 4);
    if (wanted_cell >= 0 && wanted_cell != shown_cell) {
        shown_cell = wanted_cell;
        vdp_dma(PLAYER_VRAM, player_cells[wanted_cell], 256);
    }
    if (wanted_goal != shown_goal) {
        shown_goal = wanted_goal;
        vdp_dma(GOAL_VRAM, goal_cells[wanted_goal], 24 * 16);
    }
    if (wanted_explosion != shown_explosion) {
        shown_explosion = wanted_explosion;
        vdp_dma(EXPLOSION_VRAM, explosion_cells[wanted_explosion], 16 * 16);
    }
}

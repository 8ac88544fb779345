/* The camera: follows the player with some slack and at most 16 px a frame, so that no more than
 * one column and one row of blocks ever enter the screen at once. */
#include "game.h"

#define MAX_STEP 16
#define SLACK_LEFT 144
#define SLACK_RIGHT 160
#define EYE_Y 104
#define AIR_SLACK 32

static void clamp_to_level(void)
{
    s16 right = L->width - SCREEN_W, bottom = L->height - SCREEN_H;
    G.cam_x = CLAMP(G.cam_x, 0, right);
    G.cam_y = CLAMP(G.cam_y, 0, bottom);
}

void camera_reset(void)
{
    G.cam_x = PLAYER_X - SLACK_RIGHT;
    G.cam_y = PLAYER_Y - EYE_Y;
    G.cam_lag = 0;
    clamp_to_level();
}

void camera_step(void)
{
    s16 dx = PLAYER_X - G.cam_x, dy;
    s16 feet = PLAYER_Y + player_radius() - STAND_RADIUS; /* curling must not shake the view */
    if (G.p.dead)
        return;
    if (G.cam_lag)
        G.cam_lag--;
    else if (dx < SLACK_LEFT)
        G.cam_x += MAX(dx - SLACK_LEFT, -MAX_STEP);
    else if (dx > SLACK_RIGHT)
        G.cam_x += MIN(dx - SLACK_RIGHT, MAX_STEP);

    dy = feet - G.cam_y - EYE_Y;
    if (G.p.grounded) {
        s16 step = ABS(G.p.gsp) >= 2048 || ABS(G.p.vy) >= 1536 ? MAX_STEP : 6;
        G.cam_y += CLAMP(dy, -step, step);
    } else if (dy > AIR_SLACK) {
        G.cam_y += MIN(dy - AIR_SLACK, MAX_STEP);
    } else if (dy < -AIR_SLACK) {
        G.cam_y += MAX(dy + AIR_SLACK, -MAX_STEP);
    }
    clamp_to_level();
}

-- Written by pangolin/tools/integration.py from the acts' files.
local FRAME_LIMIT = 18000
local PROGRESS_POINTS = 9000
local TIME_POINTS = 1000

-- x of the goal line by 16 * zone + act.
local end_x = {
    [0] = 5592,
    [1] = 7680,
    [2] = 9360,
    [16] = 6884,
    [17] = 8036,
    [18] = 9508,
    [32] = 7024,
    [33] = 7800,
    [34] = 9344,
}

local start_x, way, last_progress, last_x, last_lives

local function begin()
    if start_x == nil then
        start_x = data.x
        way = end_x[16 * data.zone + data.act] - start_x
        last_progress = 0
        last_x = data.x
        last_lives = data.lives
    end
end

local function progress()
    begin()
    return math.min(math.max(data.x - start_x, 0), way) / way
end

local function life_lost()
    begin()
    local before = last_lives
    last_lives = data.lives
    return data.lives < before
end

function contest_reward()
    local now = progress()
    local points = PROGRESS_POINTS * (now - last_progress)
    last_progress = now
    if now >= 1 then
        points = points + TIME_POINTS * (1 - math.min(scenario.frame / FRAME_LIMIT, 1))
    end
    return points
end

function contest_done()
    return life_lost() or progress() >= 1
end

function xpos_reward()
    begin()
    local moved = data.x - last_x
    last_x = data.x
    return moved
end

function xpos_done()
    return life_lost() or progress() >= 1 or scenario.frame >= FRAME_LIMIT
end

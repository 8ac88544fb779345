"""From one emulator to many finished envs: actions, rewards, episodes, observations, vec env."""

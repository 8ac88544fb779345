"""Campaigns that kill, freeze, fill disks and feed rubbish, and count what did not survive it."""

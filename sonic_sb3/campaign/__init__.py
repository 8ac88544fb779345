"""An experiment's grid of (arm, seed) runs: what is asked, what is there, who works on what."""

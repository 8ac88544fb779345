| A ROM that plays a table of memory writes, one record per frame: it stands in for a game whose ROM
| nobody may ship, and drives that game's real data.json and scenario.
|
| From 0x1000 on, a record per frame: a word n, then n times the address (long) and the byte to write
| there (in a word). A word 0xFFFF ends the table: nothing is written any more.
| Nothing is played before somebody sets the byte `go`: the save state is made then.

    .equ    table,   0x00001000
    .equ    next,    0x00FF0000      | where the next record lies
    .equ    go,      0x00FF0010
    .equ    frames,  0x00FF0012      | records played

    .text
    .globl _start
    .long 0x00FF0200, _start         | stack, entry
    .rept 28
    .long fault
    .endr
    .long vertical_interrupt
    .rept 33
    .long fault
    .endr
    .ascii "SEGA MEGA DRIVE "
    .ascii "(C)TEST 2026.NOV"
    .ascii "STAND-IN                                        "
    .ascii "STAND-IN                                        "
    .ascii "GM 00000000-00"
    .word 0
    .ascii "J               "
    .long 0x00000000, 0x0001FFFF
    .long 0x00FF0000, 0x00FFFFFF
    .ascii "            "
    .ascii "            "
    .ascii "                                        "
    .ascii "JUE             "

_start:
    move.w  #0x2700, %sr
    move.b  0xA10001, %d0            | consoles from 1990 on want this word first
    andi.b  #0x0F, %d0
    beq     1f
    move.l  #0x53454741, 0xA14000
1:  lea     0x00FF0000, %a0          | all RAM zero
    move.w  #0x3FFF, %d0
    moveq   #0, %d1
2:  move.l  %d1, (%a0)+
    dbra    %d0, 2b
    lea     0x00FF0200, %sp
    move.l  #table, next
    move.w  #0x8004, 0xC00004        | VDP: mode 5, display and vertical interrupt on, 320 wide
    move.w  #0x8164, 0xC00004
    move.w  #0x8C81, 0xC00004
    move.w  #0x8F02, 0xC00004
3:  stop    #0x2000
    bra     3b

vertical_interrupt:
    tst.b   go
    beq     6f
    move.l  next, %a0
    move.w  (%a0)+, %d0
    cmpi.w  #0xFFFF, %d0
    beq     6f
    bra     5f
4:  move.l  (%a0)+, %a1
    move.w  (%a0)+, %d1
    move.b  %d1, (%a1)
5:  dbra    %d0, 4b
    move.l  %a0, next
    addq.w  #1, frames
    move.l  #0xC0000000, 0xC00004    | the backdrop's colour tells the frame, so that it can be seen
    move.w  frames, 0xC00000
6:  rte

fault:
    bra     fault

| Entry, vectors, header, and the two interrupts the game knows.

    .section .header, "ax"
    .globl _start
    .long 0x00FFD000, _start
    .rept 28
    .long fault
    .endr
    .long vertical_interrupt
    .rept 33
    .long fault
    .endr
    .ascii "SEGA MEGA DRIVE "
    .ascii "(C)PANG 2026.NOV"
    .ascii "PANGOLIN DASH                                   "
    .ascii "PANGOLIN DASH                                   "
    .ascii "GM 00000000-00"
    .word 0                          | checksum, set by the build
    .ascii "J               "
    .long 0x00000000, 0x000FFFFF     | ROM, end set by the build
    .long 0x00FF0000, 0x00FFFFFF
    .ascii "            "
    .ascii "            "
    .ascii "                                        "
    .ascii "JUE             "

    .text
_start:
    move.w  #0x2700, %sr
    move.b  0xA10001, %d0            | consoles from 1990 on want this word first
    andi.b  #0x0F, %d0
    beq     1f
    move.l  #0x53454741, 0xA14000
1:  move.w  #0x0100, 0xA11100        | the Z80 stays stopped: the game is silent
    move.w  #0x0100, 0xA11200
    move.b  #0x9F, 0xC00011          | and the four tone channels muted
    move.b  #0xBF, 0xC00011
    move.b  #0xDF, 0xC00011
    move.b  #0xFF, 0xC00011
    move.b  #0x40, 0xA10009
    move.b  #0x40, 0xA10003
    lea     0x00FF0000, %a0          | all RAM zero: what is saved must not depend on power-up
    move.w  #0x3FFF, %d0
    moveq   #0, %d1
2:  move.l  %d1, (%a0)+
    dbra    %d0, 2b
    lea     0x00FFD000, %sp
    jsr     main
3:  bra     3b

| Returns once the next vertical interrupt has been served.
    .globl wait_for_frame
wait_for_frame:
    stop    #0x2000
    move.w  #0x2700, %sr
    rts

vertical_interrupt:
    rte

fault:
    move.w  #0xDEAD, 0x00FFD1FE      | seen by the tests
4:  bra     4b

| 32-bit arithmetic, which the 68000 lacks and this compiler's library has only for later
| processors. Arguments and results as the compiler expects them: on the stack, in d0.

    .globl __mulsi3
__mulsi3:
    move.w  4(%sp), %d0
    mulu.w  10(%sp), %d0
    move.w  6(%sp), %d1
    mulu.w  8(%sp), %d1
    add.w   %d1, %d0
    swap    %d0
    clr.w   %d0
    move.w  6(%sp), %d1
    mulu.w  10(%sp), %d1
    add.l   %d1, %d0
    rts

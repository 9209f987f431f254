#include "textflag.h"

// func packedBlocks(a, b, ya, yb, u, v *byte, blocks, luma int)
//
// Each block is 16 pixels of two rows. SSE2 is part of every amd64.
TEXT ·packedBlocks(SB), NOSPLIT, $0-64
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ ya+16(FP), R8
	MOVQ yb+24(FP), R9
	MOVQ u+32(FP), R10
	MOVQ v+40(FP), R11
	MOVQ blocks+48(FP), CX
	MOVQ luma+56(FP), AX

	// X14 shifts luminance into the low byte of each word, X13 chroma.
	SHLQ   $3, AX
	MOVQ   AX, X14
	MOVQ   $8, BX
	SUBQ   AX, BX
	MOVQ   BX, X13
	PCMPEQB X15, X15
	PSRLW  $8, X15          // the low byte of each word

loop:
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU (DI), X2
	MOVOU 16(DI), X3

	// The chroma of both rows, averaged and rounded up.
	MOVO  X0, X4
	MOVO  X1, X5
	PAVGB X2, X4
	PAVGB X3, X5
	PSRLW X13, X4
	PSRLW X13, X5
	PAND  X15, X4
	PAND  X15, X5
	PACKUSWB X5, X4         // U V U V ...
	MOVO  X4, X5
	PAND  X15, X4
	PSRLW $8, X5
	PACKUSWB X5, X4         // eight U, eight V
	MOVQ  X4, (R10)
	PSRLO $8, X4
	MOVQ  X4, (R11)

	PSRLW X14, X0
	PSRLW X14, X1
	PSRLW X14, X2
	PSRLW X14, X3
	PAND  X15, X0
	PAND  X15, X1
	PAND  X15, X2
	PAND  X15, X3
	PACKUSWB X1, X0
	PACKUSWB X3, X2
	MOVOU X0, (R8)
	MOVOU X2, (R9)

	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $16, R8
	ADDQ $16, R9
	ADDQ $8, R10
	ADDQ $8, R11
	DECQ CX
	JNZ  loop
	RET

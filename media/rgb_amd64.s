#include "textflag.h"

// WEIGH multiplies the bytes of the four pixels in src with the weights, adds
// the products of each pixel and the rounding, and leaves four sums in src.
// X12 is zero; X6 and X7 are used.
#define WEIGH(src, weights, round) \
	MOVO src, X6; \
	PUNPCKLBW X12, src; \
	PUNPCKHBW X12, X6; \
	PMADDWL weights, src; \
	PMADDWL weights, X6; \
	MOVO src, X7; \
	SHUFPS $0x88, X6, src; \
	SHUFPS $0xdd, X6, X7; \
	PADDL X7, src; \
	PADDL round, src

// ROW makes eight bytes of luminance of the pixels in p and q.
#define ROW(p, q, dst) \
	WEIGH(p, X8, X11); \
	WEIGH(q, X8, X11); \
	PSRLL $8, p; \
	PSRLL $8, q; \
	PACKSSLW q, p; \
	PACKUSWB p, p; \
	MOVQ p, (dst)

// CHROMA makes four bytes of it of the pixels in p.
#define CHROMA(p, weights, dst) \
	WEIGH(p, weights, X13); \
	PSRAL $8, p; \
	PACKSSLW p, p; \
	PACKUSWB p, p; \
	MOVL p, (dst)

// func rgbBlocks(a, b, ya, yb, u, v *byte, blocks int, w *rgbWeights)
//
// Each block is 8 pixels of two rows. SSE2 is part of every amd64.
TEXT ·rgbBlocks(SB), NOSPLIT, $0-64
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ ya+16(FP), R8
	MOVQ yb+24(FP), R9
	MOVQ u+32(FP), R10
	MOVQ v+40(FP), R11
	MOVQ blocks+48(FP), CX
	MOVQ w+56(FP), AX
	MOVOU (AX), X8
	MOVOU 16(AX), X9
	MOVOU 32(AX), X10
	MOVOU 48(AX), X11
	MOVOU 64(AX), X13
	PXOR X12, X12

loop:
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU (DI), X2
	MOVOU 16(DI), X3

	// The mean of four pixels, for each two columns.
	MOVO X0, X4
	MOVO X1, X5
	PAVGB X2, X4
	PAVGB X3, X5
	MOVO X4, X14
	SHUFPS $0x88, X5, X4
	SHUFPS $0xdd, X5, X14
	PAVGB X14, X4
	MOVO X4, X5
	CHROMA(X4, X9, R10)
	CHROMA(X5, X10, R11)

	ROW(X0, X1, R8)
	ROW(X2, X3, R9)

	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $8, R8
	ADDQ $8, R9
	ADDQ $4, R10
	ADDQ $4, R11
	DECQ CX
	JNZ loop
	RET

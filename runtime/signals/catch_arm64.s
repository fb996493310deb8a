#include "textflag.h"

// catch is called by the kernel with the signal's number in R0. It writes the
// number's low byte to catchFD; a full pipe loses it. It returns to the vDSO,
// which gives back.
TEXT catch<>(SB), NOSPLIT|NOFRAME, $0
	SUB	$16, RSP
	MOVD	R0, 0(RSP)
	MOVW	·catchFD(SB), R0
	MOVD	RSP, R1
	MOVD	$1, R2
	MOVD	$64, R8	// write(2)
	SVC
	ADD	$16, RSP
	RET

DATA	·catchPC(SB)/8, $catch<>(SB)
GLOBL	·catchPC(SB), NOPTR|RODATA, $8

DATA	·restorerPC(SB)/8, $0
GLOBL	·restorerPC(SB), NOPTR|RODATA, $8

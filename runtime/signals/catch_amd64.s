#include "textflag.h"

// catch is called by the kernel with the signal's number in DI. It writes the
// number's low byte to catchFD; a full pipe loses it.
TEXT catch<>(SB), NOSPLIT|NOFRAME, $0
	SUBQ	$16, SP
	MOVQ	DI, 0(SP)
	MOVL	·catchFD(SB), DI
	MOVQ	SP, SI
	MOVL	$1, DX
	MOVL	$1, AX	// write(2)
	SYSCALL
	ADDQ	$16, SP
	RET

TEXT giveBack<>(SB), NOSPLIT|NOFRAME, $0
	MOVL	$15, AX	// rt_sigreturn(2)
	SYSCALL
	INT	$3

DATA	·catchPC(SB)/8, $catch<>(SB)
GLOBL	·catchPC(SB), NOPTR|RODATA, $8

DATA	·restorerPC(SB)/8, $giveBack<>(SB)
GLOBL	·restorerPC(SB), NOPTR|RODATA, $8

/* tiny_guest.S - a guest of a few instructions, for specs on a real monitor: it writes a
 * line to the serial port, then ends as the build's definition says. */
	.code64
	.globl	_start
_start:
	leaq	text(%rip), %rsi
	movl	$(end - text), %ecx
	movw	$0x3f8, %dx
1:	movb	(%rsi), %al
	outb	%al, %dx
	incq	%rsi
	decl	%ecx
	jnz	1b
#if defined(RESET)
	movb	$0xfe, %al
	outb	%al, $0x64
#elif defined(FLOOD)
	jmp	_start
#elif defined(TRIPLE)
	lidt	none(%rip)
	ud2
#endif
	cli
2:	hlt
	jmp	2b
none:	.word	0
	.quad	0
text:	.ascii	"tiny guest\n"
end:

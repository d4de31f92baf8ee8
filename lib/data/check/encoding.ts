/** Text that was damaged on its way, and what of it can be mended for certain. */

export type Trouble = 'TEXT_DAMAGED' | 'TEXT_MOJIBAKE' | 'TEXT_NUL' | 'TEXT_BOM' | 'TEXT_CONTROL' | 'TEXT_HTML';

const PATTERNS: readonly (readonly [Trouble, RegExp])[] = [
	['TEXT_DAMAGED', /[\ufffd\p{Cs}]/u],
	['TEXT_NUL', /\0/],
	['TEXT_BOM', /\ufeff/],
	// The C0 and C1 control characters but NUL and those that are spacing.
	['TEXT_CONTROL', /(?!\s|\u0085|\0)\p{Cc}/u],
	['TEXT_HTML', /&(?:[a-z]{2,8}|#\d{2,6}|#x[\da-f]{2,5});|<\/?(?:p|br|div|span|a|b|i|em|strong|ul|li|img)\b[^<>]*>/i],
];

export function troublesOf(text: string): Trouble[] {
	const found = PATTERNS.filter(([, pattern]) => pattern.test(text)).map(([trouble]) => trouble);
	return withoutMojibake(text) === text ? found : [...found, 'TEXT_MOJIBAKE'];
}

/** The text without NUL bytes and byte order marks, which no tokenizer sees, and with mojibake read as it was written. */
export const mended = (text: string): string => withoutMojibake(text.replace(/[\0\ufeff]/g, ''));

/** Bytes of the characters of Windows-1252 from 0x80 to 0x9f. Those it leaves undefined stand for themselves. */
const WINDOWS_1252 = new Map(Array.from('€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ', (letter, index) => [letter, 0x80 + index]));
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Characters a byte of UTF-8 beyond ASCII may have been taken for. */
const RUN = /[\u0080-\u00ff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]{2,}/g;
const LATIN_LEAD = /^(?:Ã|Â|â[€\u0080]|ð[Ÿ\u009f])/;
const OTHER_SCRIPT = /^(?:\p{Script=Cyrillic}{3,}|\p{Script=Greek}{3,}|\p{Script=Arabic}{3,}|\p{Script=Hebrew}{3,})$/u;

/**
 * Mojibake is UTF-8 that was read as Windows-1252 or Latin-1: "cafÃ©" for "café". Runs that are valid UTF-8 as a whole are read again, but only
 * in a text where one leaves no doubt: it begins as Latin letters, punctuation and emoji do (Ã, Â, â€, ðŸ) and stands not after a
 * capital (as in "IRMÃ”"), or it becomes three letters or more of one script.
 */
function withoutMojibake(text: string): string {
	if (!/[\u00c2-\u00f4]/.test(text)) return text;
	const certain = [...text.matchAll(RUN)].some(({ 0: run, index }) => {
		const read = readAgain(run);
		return read !== undefined && (OTHER_SCRIPT.test(read) || (LATIN_LEAD.test(run) && !/\p{Lu}/u.test(text[index - 1] ?? '')));
	});
	return certain ? text.replace(RUN, (run) => readAgain(run) ?? run) : text;
}

function readAgain(run: string): string | undefined {
	const bytes = Uint8Array.from(run, (letter) => WINDOWS_1252.get(letter) ?? letter.charCodeAt(0));
	try {
		return utf8.decode(bytes);
	} catch {
		return undefined;
	}
}

/** Texts that are hardly texts. */

export type Oddity = 'TEXT_EMPTY' | 'TEXT_WITHOUT_WORDS' | 'TEXT_UNBROKEN' | 'TEXT_ONLY_LINK' | 'TEXT_VERY_SHORT' | 'TEXT_VERY_LONG';

/** About eight times what a model reads. */
const VERY_LONG = 20_000;
/** Longer than words of any language that parts them: hashes, base64, keys. */
const UNBROKEN = /[!-~]{120}/;
const LINK = /^(?:https?:\/\/|www\.)/i;

/** The first that holds. */
export function oddityOf(text: string): Oddity | undefined {
	const trimmed = text.trim();
	if (trimmed === '') return 'TEXT_EMPTY';
	if (!/\p{L}/u.test(trimmed)) return 'TEXT_WITHOUT_WORDS';
	if (LINK.test(trimmed) && trimmed.split(/\s+/).every((word) => LINK.test(word))) return 'TEXT_ONLY_LINK';
	if (UNBROKEN.test(trimmed)) return 'TEXT_UNBROKEN';
	if (trimmed.length <= 2) return 'TEXT_VERY_SHORT';
	return trimmed.length > VERY_LONG ? 'TEXT_VERY_LONG' : undefined;
}

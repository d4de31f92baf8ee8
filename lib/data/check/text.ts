/** Texts as a check compares and shows them. */
import { createHash } from 'node:crypto';

/** What two texts have in common that differ in case, in Unicode form or in spacing only. */
export const normalised = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();

// Scripts that do not part words stand letter by letter, as the tokenizer has them.
const WORD = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*/gu;

/** Words of a normalised text. */
export const wordsOf = (text: string): string[] => text.match(WORD) ?? [];

/** The first 32-bit words of a text's SHA-256. */
export function digestOf(text: string): { readonly first: number; readonly second: number } {
	const digest = createHash('sha256').update(text).digest();
	return { first: digest.readUInt32LE(0), second: digest.readUInt32LE(4) };
}

export const inWords = (count: number): string => count.toLocaleString('en-US');
export const percent = (share: number): string => (share > 0 && share < 0.001 ? 'under 0.1%' : `${(100 * share).toFixed(1).replace(/\.0$/, '')}%`);

const EXCERPT_LENGTH = 90;

/** A text's beginning on one line, without what a terminal might obey. */
export function excerpt(text: string): string {
	const line = text
		.slice(0, 4 * EXCERPT_LENGTH)
		.replace(/\s+/g, ' ')
		.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '·')
		.trim();
	return line.length > EXCERPT_LENGTH || text.length > 4 * EXCERPT_LENGTH
		? `${line.slice(0, EXCERPT_LENGTH).replace(/[\ud800-\udbff]$/, '')}…`
		: line;
}

/** A text from a little before a word of it. */
export function around(text: string, word: string): string {
	const at = text.toLowerCase().indexOf(word);
	const start = at < EXCERPT_LENGTH / 2 ? 0 : text.indexOf(' ', at - EXCERPT_LENGTH / 2) + 1;
	return start === 0 ? text : `…${text.slice(Math.min(start, at))}`;
}

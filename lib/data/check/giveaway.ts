/** Words that give a label away: of the rows with the word nearly all have the label, and enough of the label's rows have the word. */
import { Tally } from './tally.js';
import { around } from './text.js';

export const MIN_PRECISION = 0.99;
export const MIN_RECALL = 0.1;
/** Fewer rows with a word say nothing. */
const MIN_ROWS = 10;
/** How likely it may be that chance alone made any of the words looked at seem one. */
const MAX_CHANCE = 0.05;

/** Words of rows of one label remembered at once, over all labels. */
const MAX_WORDS = 2 ** 20;
/** Share of a label's rows so far below which a word may be forgotten: it can miss no more of them than that. */
const FORGOTTEN_SHARE = 0.02;
/** With more labels than this, each has too few rows for a word to say anything. */
const MAX_LABELS = 1000;

export interface Giveaway {
	readonly word: string;
	readonly label: number;
	readonly rows: Tally;
	/** How many of these rows have the label. */
	readonly withLabel: number;
	readonly precision: number;
	readonly recall: number;
}

/** First look: words that a tenth of a label's rows may have (lossy counting, Manku and Motwani, 2002). Memory is bounded. */
export class WordTally {
	readonly #words: Map<string, number>[] = [];
	readonly #rows: number[] = [];
	#size = 0;
	#limit = MAX_WORDS;

	/** `words`: each word of the row once. */
	add(words: ReadonlySet<string>, label: number): void {
		if (label >= MAX_LABELS) return;
		this.#words[label] ??= new Map();
		this.#rows[label] = (this.#rows[label] ?? 0) + 1;
		const counts = this.#words[label];
		const before = counts.size;
		for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
		this.#size += counts.size - before;
		if (this.#size > this.#limit) this.#forget();
	}

	#forget(): void {
		this.#size = 0;
		for (const [label, counts] of this.#words.entries()) {
			const least = Math.max(2, FORGOTTEN_SHARE * (this.#rows[label] ?? 0));
			for (const [word, count] of counts ?? []) if (count < least) counts.delete(word);
			this.#size += counts?.size ?? 0;
		}
		this.#limit = Math.max(MAX_WORDS, 2 * this.#size);
	}

	/** Every word with enough recall, and some that lack a little. */
	candidates(): Set<string> {
		const found = new Set<string>();
		for (const [label, counts] of this.#words.entries()) {
			const least = (MIN_RECALL - FORGOTTEN_SHARE) * (this.#rows[label] ?? 0);
			for (const [word, count] of counts ?? []) if (count >= least) found.add(word);
		}
		return found;
	}
}

/** Second look: the candidates counted in full, with the rows that have them. */
export class GiveawayTally {
	readonly #words: Map<string, { readonly byLabel: Map<number, number>; readonly rows: Tally }>;

	constructor(candidates: Iterable<string>) {
		this.#words = new Map(Array.from(candidates, (word) => [word, { byLabel: new Map(), rows: new Tally() }]));
	}

	get isEmpty(): boolean {
		return this.#words.size === 0;
	}

	add(words: ReadonlySet<string>, labels: readonly number[], line: number, text: string, label: string): void {
		for (const word of words) {
			const counts = this.#words.get(word);
			if (counts === undefined) continue;
			counts.rows.add(line, () => around(text, word), { label });
			for (const each of labels) counts.byLabel.set(each, (counts.byLabel.get(each) ?? 0) + 1);
		}
	}

	/** The words that give a label away, the most telling first. `labelRows`: rows of each label. */
	found(labelRows: readonly number[], rows: number): Giveaway[] {
		const asked = this.#words.size * labelRows.length;
		const all: Giveaway[] = [];
		for (const [word, { byLabel, rows: having }] of this.#words) {
			for (const [label, withLabel] of byLabel) {
				const ofLabel = labelRows[label] ?? 0;
				const [precision, recall] = [withLabel / having.count, withLabel / ofLabel];
				if (precision < MIN_PRECISION || recall < MIN_RECALL || having.count < MIN_ROWS) continue;
				if (isBeyondChance(precision, ofLabel / rows, having.count, asked)) all.push({ word, label, rows: having, withLabel, precision, recall });
			}
		}
		return all.sort((a, b) => b.recall - a.recall || (a.word < b.word ? -1 : 1));
	}
}

/**
 * Chernoff's bound: with a label on `share` of all rows, chance gives `rows` rows a share of `precision` with it at most
 * exp(-rows * divergence) of the time; asked of every word and label.
 */
function isBeyondChance(precision: number, share: number, rows: number, asked: number): boolean {
	if (share >= precision) return false;
	const divergence = precision * Math.log(precision / share) + (precision === 1 ? 0 : (1 - precision) * Math.log((1 - precision) / (1 - share)));
	return rows * divergence > Math.log(asked / MAX_CHANCE);
}

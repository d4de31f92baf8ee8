/** How long texts are for a model. */

/** Lengths a model may be told to read at most, in tokens. */
export const MAX_LENGTHS = [64, 128, 256, 512] as const;

export interface Lengths {
	/** How tokens were counted: a model's name, or that they were estimated. */
	readonly countedBy: string;
	readonly median: number;
	readonly mean: number;
	readonly max: number;
	/** Rows that would be cut at each length, and their share. */
	readonly truncated: readonly { readonly maxLength: number; readonly rows: number; readonly share: number }[];
}

/** Counts tokens, [CLS] and [SEP] included. */
export interface TokenCounter {
	readonly name: string;
	count(texts: readonly string[]): Promise<ArrayLike<number>>;
}

/** English under an uncased vocabulary of 30,000 has 1.3 tokens a word on the embedded posts; marks are tokens of their own. */
const TOKENS_PER_WORD = 1.3;

export const estimate: TokenCounter = {
	name: 'estimated from words',
	count: async (texts) =>
		texts.map((text) => {
			const words = text.match(/[\p{L}\p{M}\p{N}]+/gu)?.length ?? 0;
			const marks = text.match(/[^\s\p{L}\p{M}\p{N}]/gu)?.length ?? 0;
			return 2 + marks + Math.ceil(TOKENS_PER_WORD * words);
		}),
};

const LAST = 4096;

export class LengthTally {
	/** Rows of each length; the last place holds all beyond. */
	readonly #rows = new Float64Array(LAST + 1);
	#sum = 0;
	#max = 0;

	add(tokens: number): void {
		const place = Math.min(tokens, LAST);
		this.#rows[place] = (this.#rows[place] ?? 0) + 1;
		this.#sum += tokens;
		this.#max = Math.max(this.#max, tokens);
	}

	lengths(countedBy: string): Lengths {
		const total = this.#rows.reduce((sum, rows) => sum + rows, 0);
		const beyond = (length: number) => this.#rows.subarray(length + 1).reduce((sum, rows) => sum + rows, 0);
		let median = 0;
		for (let below = 0; median < LAST; median++) {
			below += this.#rows[median] ?? 0;
			if (below >= total / 2) break;
		}
		const truncated = MAX_LENGTHS.map((maxLength) => ({ maxLength, rows: beyond(maxLength), share: beyond(maxLength) / total }));
		return { countedBy, median, mean: this.#sum / total, max: this.#max, truncated };
	}
}

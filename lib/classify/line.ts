/** The texts of one caller on their way through the batcher: waiting, encoded, answered, always in their order. */
import type { Head, RaggedEncoding } from '../runtime/native.js';
import { Queue } from './queue.js';
import { type Piece, tokensOf, windowsOf } from './windows.js';

/** How the texts of a caller are read. */
export interface Reading {
	/** Longest row in tokens, [CLS] and [SEP] included. */
	readonly maxLength: number;
	/** Tokens that neighbouring windows of a longer text share; without it such a text is cut. */
	readonly stride?: number | undefined;
	/** @default that of the file of weights */
	readonly head?: Head | undefined;
}

/** What a model says of a text. */
export interface ScoredText {
	/** float32[windows * labels]: of each window in order; one unless there is a stride. */
	readonly logits: Float32Array;
	readonly windows: number;
	/** Whether the text was cut to maxLength. */
	readonly truncated: boolean;
	/** Tokens of the text that were read, each once, [CLS] and [SEP] included. */
	readonly tokens: number;
}

/** Told of the texts in their order; after `fail` of nothing more. */
export interface Receiver {
	settle(scored: ScoredText): void;
	fail(error: unknown): void;
}

/** One row of a text. */
export interface Row extends Piece {
	readonly text: Text;
	/** Which of the text's windows it is. */
	readonly window: number;
}

/** What is known of a text whose windows are being answered. */
interface Text {
	readonly windows: number;
	readonly truncated: boolean;
	readonly tokens: number;
	/** Of the windows so far; undefined before the first, and where there is one. */
	logits: Float32Array | undefined;
	answered: number;
}

export class Line {
	readonly reading: Reading;
	readonly #receiver: Receiver;
	readonly #texts: Queue<string>;
	/** Made with the first row: of many lines none is encoded yet. */
	#rows: Queue<Row> | undefined;
	#rowTokens = 0;
	#dropped = false;

	constructor(texts: string[], reading: Reading, receiver: Receiver) {
		this.#texts = new Queue(texts);
		this.reading = reading;
		this.#receiver = receiver;
	}

	/** Longest row the tokenizer is to give; 0 for no limit. */
	get cutAt(): number {
		return this.reading.stride === undefined ? this.reading.maxLength : 0;
	}

	get dropped(): boolean {
		return this.#dropped;
	}

	get hasTexts(): boolean {
		return this.#texts.length > 0;
	}

	/** Tokens of the rows that wait for a batch. */
	get rowTokens(): number {
		return this.#rowTokens;
	}

	get firstRow(): Row | undefined {
		return this.#rows?.first;
	}

	add(text: string): void {
		this.#texts.push(text);
	}

	takeText(): string {
		return this.#texts.take() as string;
	}

	/** The row of an encoding that belongs to the text that was taken first of those not yet encoded. */
	encoded({ ids, offsets, truncated }: RaggedEncoding, row: number): void {
		this.#rows ??= new Queue();
		const rows = this.#rows;
		const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
		const { maxLength, stride } = this.reading;
		const text = { truncated: truncated[row] === 1, tokens: end - start, logits: undefined, answered: 0 };
		if (stride === undefined) {
			rows.push({ ids, start, end, frame: undefined, text: { ...text, windows: 1 }, window: 0 });
			this.#rowTokens += end - start;
			return;
		}
		const pieces = windowsOf(ids, start, end, maxLength, stride);
		const shared = { ...text, windows: pieces.length };
		pieces.forEach((piece, window) => {
			rows.push({ ...piece, text: shared, window });
			this.#rowTokens += tokensOf(piece);
		});
	}

	takeRow(): Row {
		const row = this.#rows?.take() as Row;
		this.#rowTokens -= tokensOf(row);
		return row;
	}

	answered({ text, window }: Row, logits: Float32Array): void {
		if (this.#dropped) return;
		const { windows, truncated, tokens } = text;
		let all = logits;
		if (windows > 1) {
			text.logits ??= new Float32Array(windows * logits.length);
			text.logits.set(logits, window * logits.length);
			text.answered += 1;
			if (text.answered < windows) return;
			all = text.logits;
		}
		this.#receiver.settle({ logits: all, windows, truncated, tokens });
	}

	fail(error: unknown): void {
		if (this.#dropped) return;
		this.#dropped = true;
		this.#receiver.fail(error);
	}

	/** What was asked for is no longer wanted. */
	drop(): void {
		this.#dropped = true;
	}
}

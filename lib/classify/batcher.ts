/**
 * Texts of any number of callers at once, gathered into ragged batches. Callers take turns row by row, so that one with ten thousand texts
 * holds up another with a single one for no longer than the batch under way. A row's logits have the same bits in any company.
 */
import type { Head, RaggedBatch, RaggedEncoding } from '../runtime/native.js';
import { Line, type Reading, type Receiver, type Row } from './line.js';
import { raggedOf, tokensOf } from './windows.js';

export interface BatcherOptions {
	/** Most tokens of a batch; a row that is longer goes alone. */
	readonly maxBatchTokens: number;
	/** How long a batch that is not full waits for company, in milliseconds, counted from when its first row was ready. */
	readonly maxWaitMs: number;
}

/** Both work off the calling thread. */
export interface Model {
	/** `maxLength`: longest row; 0 for no limit. */
	encode(texts: readonly string[], maxLength: number): Promise<RaggedEncoding>;
	/** float32[rows * labels] */
	logits(batch: RaggedBatch, head: Head | undefined): Promise<Float32Array>;
}

// Of one call of the tokenizer: a fraction of a millisecond on either thread.
const textsAtOnce = 256;
const charactersAtOnce = 2 ** 18;

export class Batcher {
	readonly #model: Model;
	readonly #options: BatcherOptions;
	/** Callers with texts to encode, and with rows to classify, in the order of their turns. */
	readonly #toEncode = new Set<Line>();
	readonly #toScore = new Set<Line>();
	#encoding = false;
	#scoring = false;
	#gathering = false;
	/** Since when a row has been waiting. */
	#waitingSince = 0;
	/** Ends the wait for company. */
	#enough: (() => void) | undefined;

	constructor(model: Model, options: BatcherOptions) {
		this.#model = model;
		this.#options = options;
	}

	get maxBatchTokens(): number {
		return this.#options.maxBatchTokens;
	}

	/** A caller's line; `texts` becomes its own. */
	open(texts: string[], reading: Reading, receiver: Receiver): Line {
		const line = new Line(texts, reading, receiver);
		if (texts.length > 0) this.#want(line);
		return line;
	}

	/** One more text at the end of a line. */
	add(line: Line, text: string): void {
		line.add(text);
		this.#want(line);
	}

	/** Forgets a line and what it waits for; its receiver is told nothing more. */
	drop(line: Line): void {
		line.drop();
		this.#forget(line);
	}

	/** Has texts of a line encoded, unless a batch of its rows lies ready: that bounds what a long list takes. */
	#want(line: Line): void {
		if (!line.hasTexts || line.dropped || line.rowTokens >= this.maxBatchTokens) return;
		this.#toEncode.add(line);
		if (this.#encoding || this.#gathering) return;
		this.#gathering = true;
		// Calls made in one go, such as those of a Promise.all, are gathered.
		queueMicrotask(() => {
			this.#gathering = false;
			void this.#encodeAll();
		});
	}

	async #encodeAll(): Promise<void> {
		this.#encoding = true;
		while (this.#toEncode.size > 0) {
			const { lines, texts, maxLength } = this.#textsToEncode();
			try {
				const encoding = await this.#model.encode(texts, maxLength);
				lines.forEach((line, row) => {
					if (!line.dropped) this.#ready(line, encoding, row);
				});
				if (!this.#scoring) void this.#scoreAll();
				else if (this.#enough !== undefined && this.#isFull()) this.#enough();
			} catch (error) {
				for (const line of lines) this.#fail(line, error);
			}
		}
		this.#encoding = false;
	}

	/** Texts that are cut alike, of each caller in turn. */
	#textsToEncode(): { lines: Line[]; texts: string[]; maxLength: number } {
		const [first] = this.#toEncode as Iterable<Line>;
		const maxLength = (first as Line).cutAt;
		const lines: Line[] = [];
		const texts: string[] = [];
		let characters = 0;
		// A line that is put back is met again, after the others.
		for (const line of this.#toEncode) {
			if (line.cutAt !== maxLength) continue;
			this.#toEncode.delete(line);
			const text = line.takeText();
			lines.push(line);
			texts.push(text);
			characters += text.length;
			if (line.hasTexts) this.#toEncode.add(line);
			if (texts.length === textsAtOnce || characters >= charactersAtOnce) break;
		}
		return { lines, texts, maxLength };
	}

	#ready(line: Line, encoding: RaggedEncoding, row: number): void {
		line.encoded(encoding, row);
		if (line.rowTokens >= this.maxBatchTokens) this.#toEncode.delete(line);
		if (this.#toScore.size === 0) this.#waitingSince = performance.now();
		this.#toScore.add(line);
	}

	async #scoreAll(): Promise<void> {
		this.#scoring = true;
		while (this.#toScore.size > 0) {
			if (this.#options.maxWaitMs > 0) await this.#waitForCompany();
			const { lines, rows, head } = this.#nextBatch();
			if (rows.length === 0) continue; // dropped while it waited
			for (const line of new Set(lines)) this.#want(line);
			try {
				const logits = await this.#model.logits(raggedOf(rows), head);
				const width = logits.length / rows.length;
				lines.forEach((line, row) => {
					line.answered(rows[row] as Row, logits.subarray(row * width, (row + 1) * width));
				});
			} catch (error) {
				for (const line of lines) this.#fail(line, error);
			}
		}
		this.#scoring = false;
	}

	/** The oldest row of each caller in turn, then the next of each, until the next in turn no longer fits. All under one head. */
	#nextBatch(): { lines: Line[]; rows: Row[]; head: Head | undefined } {
		const [first] = this.#toScore as Iterable<Line>;
		const head = first?.reading.head;
		const lines: Line[] = [];
		const rows: Row[] = [];
		let tokens = 0;
		for (const line of this.#toScore) {
			if (line.reading.head !== head) continue;
			tokens += tokensOf(line.firstRow as Row);
			if (rows.length > 0 && tokens > this.maxBatchTokens) break;
			this.#toScore.delete(line);
			lines.push(line);
			rows.push(line.takeRow());
			if (line.firstRow !== undefined) this.#toScore.add(line);
		}
		return { lines, rows, head };
	}

	async #waitForCompany(): Promise<void> {
		const left = this.#waitingSince + this.#options.maxWaitMs - performance.now();
		if (left <= 0 || this.#isFull()) return;
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, left);
			this.#enough = () => {
				clearTimeout(timer);
				resolve();
			};
		});
		this.#enough = undefined;
	}

	#isFull(): boolean {
		let tokens = 0;
		for (const line of this.#toScore) {
			tokens += line.rowTokens;
			if (tokens >= this.maxBatchTokens) return true;
		}
		return false;
	}

	#fail(line: Line, error: unknown): void {
		this.#forget(line);
		line.fail(error);
	}

	#forget(line: Line): void {
		this.#toEncode.delete(line);
		this.#toScore.delete(line);
		if (this.#toScore.size === 0) this.#enough?.();
	}
}

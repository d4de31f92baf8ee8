/** Texts of one caller through the batcher: a list at once, or one after another. */
import { AbortError } from '../errors.js';
import type { Batcher } from './batcher.js';
import type { Reading, Receiver, ScoredText } from './line.js';
import { Queue } from './queue.js';
import { watch } from './signals.js';

/** What a call asks of its texts. */
export interface Question<Result> {
	readonly reading: Reading;
	/** What is made of what the model says of a text. */
	readonly answer: (scored: ScoredText) => Result;
}

/**
 * What is made of each text, in order. Rejects with AbortError as soon as the signal aborts: what waits is dropped, a batch under way ends
 * unheard.
 */
export function askAll<Result>(
	batcher: Batcher,
	texts: readonly string[],
	question: Question<Result>,
	signal: AbortSignal | undefined,
): Promise<Result[]> {
	if (texts.length === 0 && !signal?.aborted) return Promise.resolve([]);
	return new Promise((resolve, reject) => new Call(batcher, [...texts], question, signal, { results: [], resolve }, reject));
}

/** The same of one text. */
export function askOne<Result>(batcher: Batcher, text: string, question: Question<Result>, signal: AbortSignal | undefined): Promise<Result> {
	return new Promise((resolve, reject) => new Call(batcher, [text], question, signal, resolve, reject));
}

/** Where the results of several texts go; of one text they go to a function. */
interface Results<Result> {
	readonly results: Result[];
	resolve(results: Result[]): void;
}

class Call<Result> implements Receiver {
	readonly #count: number;
	readonly #answer: Question<Result>['answer'];
	readonly #told: Results<Result> | ((result: Result) => void);
	readonly #reject: (error: unknown) => void;
	readonly #unwatch: (() => void) | undefined;

	constructor(
		batcher: Batcher,
		texts: string[],
		{ reading, answer }: Question<Result>,
		signal: AbortSignal | undefined,
		told: Results<Result> | ((result: Result) => void),
		reject: (error: unknown) => void,
	) {
		this.#count = texts.length;
		this.#answer = answer;
		this.#told = told;
		this.#reject = reject;
		if (signal?.aborted) {
			reject(stopped(signal));
			return;
		}
		const line = batcher.open(texts, reading, this);
		if (signal === undefined) return;
		this.#unwatch = watch(signal, () => {
			batcher.drop(line);
			reject(stopped(signal));
		});
	}

	settle(scored: ScoredText): void {
		const [told, result] = [this.#told, this.#answer(scored)];
		if (typeof told === 'function') {
			this.#unwatch?.();
			told(result);
		} else if (told.results.push(result) === this.#count) {
			this.#unwatch?.();
			told.resolve(told.results);
		}
	}

	fail(error: unknown): void {
		this.#unwatch?.();
		this.#reject(error);
	}
}

export interface Asker<Result> {
	ask(text: string): Promise<Result>;
	/** Rejects what was asked and not yet answered. */
	drop(): void;
}

export function askOneByOne<Result>(batcher: Batcher, { reading, answer }: Question<Result>): Asker<Result> {
	const waiting = new Queue<{ resolve(result: Result): void; reject(error: unknown): void }>();
	let failure: { readonly error: unknown } | undefined;
	const fail = (error: unknown) => {
		failure ??= { error };
		while (waiting.length > 0) waiting.take()?.reject(error);
	};
	const line = batcher.open([], reading, { settle: (scored) => waiting.take()?.resolve(answer(scored)), fail });
	return {
		ask: (text) =>
			new Promise((resolve, reject) => {
				if (failure !== undefined) return reject(failure.error);
				waiting.push({ resolve, reject });
				batcher.add(line, text);
			}),
		drop() {
			batcher.drop(line);
			fail(new AbortError('Classifying was stopped: nobody reads the answers'));
		},
	};
}

export const stopped = (signal: AbortSignal): AbortError => new AbortError('Classifying was stopped by its signal', { cause: signal.reason });

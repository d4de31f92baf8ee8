/** Texts of one caller through the batcher: a list at once, or one after another. */
import { AbortError } from '../errors.js';
import type { Batcher } from './batcher.js';
import type { Reading, ScoredText } from './line.js';
import { Queue } from './queue.js';
import { watch } from './signals.js';

/** What is made of each text, in order. Rejects with AbortError as soon as the signal aborts: what waits is dropped, a batch under way ends unheard. */
export function askAll<Result>(
	batcher: Batcher,
	texts: readonly string[],
	reading: Reading,
	signal: AbortSignal | undefined,
	make: (scored: ScoredText) => Result,
): Promise<Result[]> {
	return new Promise((resolve, reject) => {
		if (signal?.aborted) return reject(stopped(signal));
		const count = texts.length; // the list is the caller's, and may be changed
		if (count === 0) return resolve([]);
		const results: Result[] = [];
		const line = batcher.open([...texts], reading, {
			settle(scored) {
				results.push(make(scored));
				if (results.length < count) return;
				unwatch?.();
				resolve(results);
			},
			fail(error) {
				unwatch?.();
				reject(error);
			},
		});
		const unwatch =
			signal &&
			watch(signal, () => {
				batcher.drop(line);
				reject(stopped(signal));
			});
	});
}

export interface Asker<Result> {
	ask(text: string): Promise<Result>;
	/** Rejects what was asked and not yet answered. */
	drop(): void;
}

export function askOneByOne<Result>(batcher: Batcher, reading: Reading, make: (scored: ScoredText) => Result): Asker<Result> {
	const waiting = new Queue<{ resolve(result: Result): void; reject(error: unknown): void }>();
	let failure: { readonly error: unknown } | undefined;
	const fail = (error: unknown) => {
		failure ??= { error };
		while (waiting.length > 0) waiting.take()?.reject(error);
	};
	const line = batcher.open([], reading, { settle: (scored) => waiting.take()?.resolve(make(scored)), fail });
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

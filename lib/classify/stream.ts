/** Texts as they come, answered in their order, with a bounded number of them under way. */
import { DataError } from '../errors.js';
import { type Asker, stopped } from './ask.js';
import { Queue } from './queue.js';
import { watch } from './signals.js';

export type Texts = AsyncIterable<string> | Iterable<string>;

export interface Streaming<Result> extends Asker<Result> {
	/** Tokens that may be under way: read from the source and not yet taken by the reader of the answers. */
	readonly room: number;
	/** About how many tokens of a text are read. */
	sizeOf(text: string): number;
	/** Aborts where the classifier is closed, the error being its reason. */
	readonly closing: AbortSignal;
	readonly signal: AbortSignal | undefined;
}

/**
 * One answer a text. The source is read ahead while there is room, and left with `return()` where the reader stops early. What the source
 * throws, and the end that a closed classifier puts to it, come after the answers to what was read before; an abort comes at once.
 */
export async function* answers<Result>(source: Texts, streaming: Streaming<Result>): AsyncGenerator<Result, void, undefined> {
	const reader = new Reader(source, streaming);
	try {
		for (;;) {
			const next = await reader.next();
			if (next === undefined) return;
			yield next.result;
		}
	} finally {
		await reader.close();
	}
}

interface Asked<Result> {
	readonly size: number;
	outcome?: { readonly result: Result } | { readonly error: unknown };
}

/** Why no more texts are read; `error` is what the reader of the answers is told after the last of them. */
interface End {
	readonly error?: unknown;
	/** Whether the source ended by itself. */
	readonly exhausted: boolean;
}

class Reader<Result> {
	readonly #iterator: AsyncIterator<string> | Iterator<string>;
	readonly #streaming: Streaming<Result>;
	readonly #asked = new Queue<Asked<Result>>();
	readonly #unwatch: (() => void)[] = [];
	/** Tokens of `#asked`. */
	#size = 0;
	#reading = false;
	#end: End | undefined;
	/** Told of every change. */
	#changed: () => void = () => {};

	constructor(source: Texts, streaming: Streaming<Result>) {
		this.#streaming = streaming;
		this.#iterator = iteratorOf(source);
		const { closing, signal } = streaming;
		this.#watch(signal, () => this.#changed());
		this.#watch(closing, () => this.#stop({ error: closing.reason, exhausted: false }));
		if (signal?.aborted !== true) void this.#readAhead();
	}

	async next(): Promise<{ readonly result: Result } | undefined> {
		for (;;) {
			const { signal } = this.#streaming;
			if (signal?.aborted) throw stopped(signal);
			const { first } = this.#asked;
			if (first === undefined && this.#end !== undefined) {
				if ('error' in this.#end) throw this.#end.error;
				return undefined;
			}
			if (first?.outcome !== undefined) return this.#take(first, first.outcome);
			await new Promise<void>((resolve) => {
				this.#changed = resolve;
			});
		}
	}

	async close(): Promise<void> {
		const exhausted = this.#end?.exhausted === true;
		this.#stop({ exhausted });
		for (const each of this.#unwatch) each();
		this.#streaming.drop();
		if (exhausted) return;
		const returned = Promise.resolve(this.#iterator.return?.());
		// A source that is being asked and may never answer would hold up those who leave.
		if (this.#reading) returned.catch(() => {});
		else await returned;
	}

	#watch(signal: AbortSignal | undefined, stop: () => void): void {
		if (signal?.aborted) stop();
		else if (signal) this.#unwatch.push(watch(signal, stop));
	}

	#take({ size }: Asked<Result>, outcome: { readonly result: Result } | { readonly error: unknown }): { readonly result: Result } {
		if ('error' in outcome) throw outcome.error;
		this.#asked.take();
		this.#size -= size;
		void this.#readAhead();
		return outcome;
	}

	/** Reads while there is room: always one text, however long. */
	async #readAhead(): Promise<void> {
		if (this.#reading) return;
		this.#reading = true;
		try {
			while (this.#end === undefined && (this.#asked.length === 0 || this.#size < this.#streaming.room)) {
				const { done, value } = await this.#iterator.next();
				if (this.#end !== undefined) break;
				if (done) this.#stop({ exhausted: true });
				else if (typeof value === 'string') this.#ask(value);
				else this.#stop({ error: notText(value), exhausted: false });
			}
		} catch (error) {
			this.#stop({ error, exhausted: true });
		} finally {
			this.#reading = false;
		}
	}

	#ask(text: string): void {
		const asked: Asked<Result> = { size: this.#streaming.sizeOf(text) };
		const settle = (outcome: Asked<Result>['outcome'] & object) => {
			asked.outcome = outcome;
			this.#changed();
		};
		this.#asked.push(asked);
		this.#size += asked.size;
		this.#streaming.ask(text).then(
			(result) => settle({ result }),
			(error: unknown) => settle({ error }),
		);
	}

	#stop(end: End): void {
		this.#end ??= end;
		this.#changed();
	}
}

function iteratorOf(source: Texts): AsyncIterator<string> | Iterator<string> {
	if (typeof source === 'object' && source !== null) {
		if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
		if (Symbol.iterator in source) return source[Symbol.iterator]();
	}
	throw new DataError('TEXT_INVALID', `Expected an iterable or async iterable of texts, got ${source === null ? 'null' : typeof source}`);
}

export const notText = (text: unknown): DataError =>
	new DataError('TEXT_INVALID', `Expected a text or a list of texts, got ${text === null ? 'null' : typeof text}`);

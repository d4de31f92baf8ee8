/** The object `fit()` returns: a promise of the result and, for who asks, the events on the way. */

export type Run<Event, Result> = Promise<Result> & AsyncIterable<Event>;

/**
 * Drives `events` to its end; `onEvent` sees each before anyone else. An iterator gets every event from the moment it is asked for, at its own pace, and ends as the
 * promise does: with the result, or by throwing. Leaving an iterator early does not stop the run.
 */
export function drive<Event, Result>(events: AsyncGenerator<Event, Result>, onEvent: (event: Event) => void = () => {}): Run<Event, Result> {
	const followers = new Set<Follower<Event>>();
	let settled = false;
	const result = (async () => {
		try {
			for (;;) {
				const next = await events.next();
				if (next.done === true) return next.value;
				onEvent(next.value);
				for (const follower of followers) follower.push(next.value);
			}
		} catch (error) {
			for (const follower of followers) follower.fail(error);
			throw error;
		} finally {
			settled = true;
			for (const follower of followers) follower.finish();
		}
	})();
	return Object.assign(result, {
		[Symbol.asyncIterator](): AsyncIterator<Event> {
			// Who follows the events learns of a failure there; the promise itself may then stay unwatched.
			result.catch(() => {});
			const follower = new Follower<Event>((self) => followers.delete(self));
			followers.add(follower);
			// Who comes after the end finds no event, and ends as the run did.
			if (settled) result.catch((error: unknown) => follower.fail(error)).finally(() => follower.finish());
			return follower;
		},
	});
}

class Follower<Event> implements AsyncIterator<Event> {
	readonly #leave: (self: Follower<Event>) => void;
	readonly #queue: Event[] = [];
	#ended = false;
	#failure: { readonly error: unknown } | undefined;
	#wake: () => void = () => {};

	constructor(leave: (self: Follower<Event>) => void) {
		this.#leave = leave;
	}

	push(event: Event): void {
		this.#queue.push(event);
		this.#wake();
	}

	fail(error: unknown): void {
		this.#failure = { error };
	}

	finish(): void {
		this.#ended = true;
		this.#wake();
	}

	async next(): Promise<IteratorResult<Event, undefined>> {
		while (this.#queue.length === 0 && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
		const [event] = this.#queue.splice(0, 1);
		if (event !== undefined) return { value: event, done: false };
		const failure = this.#failure;
		this.#failure = undefined;
		if (failure !== undefined) throw failure.error;
		return { value: undefined, done: true };
	}

	async return(): Promise<IteratorResult<Event, undefined>> {
		this.#leave(this);
		this.#queue.length = 0;
		this.finish();
		return { value: undefined, done: true };
	}
}

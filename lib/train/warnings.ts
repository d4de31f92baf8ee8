/** Warnings of what has no event of its own to tell them in. */
import type { TrainerEvent } from './events.js';

export class Warnings {
	readonly #waiting: TrainerEvent[] = [];

	add(code: string, message: string): void {
		this.#waiting.push({ type: 'warning', code, message });
	}

	/** The events of a run, each behind the warnings that came up before it. */
	async *among<End>(events: AsyncGenerator<TrainerEvent, End>): AsyncGenerator<TrainerEvent, End> {
		let next = await events.next();
		try {
			for (; !next.done; next = await events.next()) {
				yield* this.#waiting.splice(0);
				yield next.value;
			}
			yield* this.#waiting.splice(0);
			return next.value;
		} finally {
			if (!next.done) await events.return(undefined as never);
		}
	}
}

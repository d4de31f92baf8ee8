/** One call at a time on a Trainer, and none once it is disposed of. */
import { TrainingError } from '../errors.js';

export class Turn {
	#closed = false;
	#under: Promise<void> | undefined;

	get taken(): boolean {
		return this.#under !== undefined;
	}

	get closed(): boolean {
		return this.#closed;
	}

	/** Runs `call` as the only one. Rejects with TRAINER_BUSY or TRAINER_CLOSED. */
	async run<Result>(call: () => Promise<Result>): Promise<Result> {
		const release = this.#take();
		try {
			return await call();
		} finally {
			release();
		}
	}

	/** The same for a call that tells what it does on the way. */
	async *tell<Event, Result>(events: AsyncGenerator<Event, Result>): AsyncGenerator<Event, Result> {
		const release = this.#take();
		try {
			return yield* events;
		} finally {
			release();
		}
	}

	/** Refuses further calls; waits for the one that is under way. */
	async close(): Promise<void> {
		this.#closed = true;
		await this.#under;
	}

	#take(): () => void {
		if (this.#closed) throw new TrainingError('TRAINER_CLOSED', 'Expected an open Trainer, but dispose() was called on it');
		if (this.#under !== undefined) {
			throw new TrainingError('TRAINER_BUSY', 'Expected an idle Trainer, but a call on it is still running', {
				hint: 'await that call first, or make a second Trainer',
			});
		}
		let settle = () => {};
		this.#under = new Promise((resolve) => {
			settle = resolve;
		});
		return () => {
			this.#under = undefined;
			settle();
		};
	}
}

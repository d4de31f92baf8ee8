/** The calls under way on a Classifier: any number that read it, one that changes it, and none once it is disposed of. */
import { DistiltuneError } from '../errors.js';

export class Calls {
	readonly #running = new Set<Promise<unknown>>();
	readonly #closing = new AbortController();
	#changing = false;
	#closed: Promise<void> | undefined;

	/** Aborts when close() is called, its reason the error CLASSIFIER_CLOSED. */
	get closing(): AbortSignal {
		return this.#closing.signal;
	}

	/** Runs a call that close() waits for. Rejects with CLASSIFIER_CLOSED. */
	async run<Result>(work: () => Promise<Result>): Promise<Result> {
		this.stopIfClosed();
		const call = work();
		this.#running.add(call);
		try {
			return await call;
		} finally {
			this.#running.delete(call);
		}
	}

	/** Runs a call that changes head or decision, one at a time: each begins from what the one before has left. Rejects with CLASSIFIER_BUSY too. */
	change<Result>(work: () => Promise<Result>): Promise<Result> {
		return this.run(async () => {
			if (this.#changing)
				throw new DistiltuneError('CLASSIFIER_BUSY', 'Expected no call of learn, calibrate or tuneThreshold to be under way, but one is', {
					hint: 'await that call first',
				});
			this.#changing = true;
			try {
				return await work();
			} finally {
				this.#changing = false;
			}
		});
	}

	/** Throws CLASSIFIER_CLOSED. */
	stopIfClosed(): void {
		if (this.#closed) throw closed();
	}

	/** Refuses further calls; runs `free` once those under way have ended. Twice is fine. */
	close(free: () => Promise<void>): Promise<void> {
		if (this.#closed === undefined) {
			this.#closed = Promise.allSettled([...this.#running]).then(free);
			this.#closing.abort(closed());
		}
		return this.#closed;
	}
}

const closed = () => new DistiltuneError('CLASSIFIER_CLOSED', 'Expected an open classifier, but dispose() was called on it');

/** The calls under way on a Classifier: any number that read it, one that changes it, and none once it is disposed of. */
import { DistiltuneError } from '../errors.js';

export class Calls {
	readonly #closing = new AbortController();
	#running = 0;
	#changing = false;
	#closed: Promise<void> | undefined;
	/** Told when the last call under way has ended. */
	#ended: () => void = () => {};

	/** Aborts when close() is called, its reason the error CLASSIFIER_CLOSED. */
	get closing(): AbortSignal {
		return this.#closing.signal;
	}

	/** Runs a call that close() waits for. Rejects with CLASSIFIER_CLOSED, and with what `work` throws. */
	run<Result>(work: () => Promise<Result>): Promise<Result> {
		let call: Promise<Result>;
		try {
			this.stopIfClosed();
			call = work();
		} catch (error) {
			return Promise.reject(error);
		}
		this.#running += 1;
		call.then(this.#end, this.#end);
		return call;
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
			const ended = new Promise<void>((resolve) => {
				if (this.#running === 0) resolve();
				else this.#ended = resolve;
			});
			this.#closed = ended.then(free);
			this.#closing.abort(closed());
		}
		return this.#closed;
	}

	/** One function for all calls: there may be very many. */
	readonly #end = (): void => {
		this.#running -= 1;
		if (this.#running === 0) this.#ended();
	};
}

const closed = () => new DistiltuneError('CLASSIFIER_CLOSED', 'Expected an open classifier, but dispose() was called on it');

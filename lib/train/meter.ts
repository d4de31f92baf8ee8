/** Running loss: what Transformers would log, and the plain means beside it. All sums in double. */
export class Meter {
	#sinceLog = { loss: 0, steps: 0 };
	#sinceEpoch = { loss: 0, batches: 0 };
	#whole = { loss: 0, steps: 0 };

	/** Counts batches whose losses were divided by `divisor`; returns what they add to the loss of their step. */
	add(losses: Float64Array, divisor: number): number {
		const sum = losses.reduce((total, loss) => total + loss, 0);
		const loss = sum / divisor;
		this.#sinceLog.loss += loss;
		this.#whole.loss += loss;
		this.#sinceEpoch = { loss: this.#sinceEpoch.loss + sum, batches: this.#sinceEpoch.batches + losses.length };
		return loss;
	}

	/** Counts a step; batches left over from an epoch belong to the next one (4.18). */
	step(): void {
		this.#sinceLog.steps += 1;
		this.#whole.steps += 1;
	}

	/** Whether a step was taken since the last log entry. */
	get due(): boolean {
		return this.#sinceLog.steps > 0;
	}

	/** Mean loss of the steps since the last call: one log entry. */
	takeLog(): number {
		const { loss, steps } = this.#sinceLog;
		this.#sinceLog = { loss: 0, steps: 0 };
		return loss / steps;
	}

	/** Mean loss of the batches of the epoch so far. */
	get epochMean(): number {
		return this.#sinceEpoch.loss / this.#sinceEpoch.batches;
	}

	beginEpoch(): void {
		this.#sinceEpoch = { loss: 0, batches: 0 };
	}

	/** Mean loss of all steps. */
	get mean(): number {
		return this.#whole.loss / this.#whole.steps;
	}
}

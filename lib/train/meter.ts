/** Running loss: what Transformers would log, and the plain means beside it. All sums in double. */
import type { StepResult } from '../runtime/native.js';

export class Meter {
	#sinceLog = { loss: 0, steps: 0 };
	#sinceEpoch = { loss: 0, batches: 0 };
	#whole = { loss: 0, steps: 0 };

	/** Counts one step; returns its loss, the mean over its batches. */
	add({ losses }: StepResult): number {
		const sum = losses.reduce((total, loss) => total + loss, 0);
		const loss = sum / losses.length;
		this.#sinceLog = { loss: this.#sinceLog.loss + loss, steps: this.#sinceLog.steps + 1 };
		this.#sinceEpoch = { loss: this.#sinceEpoch.loss + sum, batches: this.#sinceEpoch.batches + losses.length };
		this.#whole = { loss: this.#whole.loss + loss, steps: this.#whole.steps + 1 };
		return loss;
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

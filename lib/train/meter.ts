/** Running loss: what Transformers would log, and the plain means beside it. All sums in double. */

/** A sum of losses and how many they are. */
export interface LossSum {
	readonly loss: number;
	readonly count: number;
}

export interface MeterState {
	/** Of the steps since the last log entry. */
	readonly sinceLog: LossSum;
	/** Of the batches of the epoch. */
	readonly epoch: LossSum;
	/** Of all steps. */
	readonly whole: LossSum;
}

const none: LossSum = { loss: 0, count: 0 };
const plus = (sum: LossSum, loss: number, count: number): LossSum => ({ loss: sum.loss + loss, count: sum.count + count });
const meanOf = ({ loss, count }: LossSum): number => loss / count;

export class Meter {
	#sinceLog = none;
	#epoch = none;
	#whole = none;
	/** Whether the step under way was left out. */
	#skips = false;

	/** Goes on from `state`, where one is given. */
	constructor(state?: MeterState) {
		if (state === undefined) return;
		this.#sinceLog = state.sinceLog;
		this.#epoch = state.epoch;
		this.#whole = state.whole;
	}

	get state(): MeterState {
		return { sinceLog: this.#sinceLog, epoch: this.#epoch, whole: this.#whole };
	}

	/** Counts batches whose losses were divided by `divisor`; returns what they add to the loss of their step. Losses that are no numbers make it one that no mean counts. */
	add(losses: readonly number[], divisor: number): number {
		const sum = losses.reduce((total, loss) => total + loss, 0);
		const loss = sum / divisor;
		this.#skips ||= Number.isNaN(loss);
		if (this.#skips) return Number.NaN;
		this.#sinceLog = plus(this.#sinceLog, loss, 0);
		this.#whole = plus(this.#whole, loss, 0);
		this.#epoch = plus(this.#epoch, sum, losses.length);
		return loss;
	}

	/** Counts a step; batches left over from an epoch belong to the next one (4.18). */
	step(): void {
		if (this.#skips) {
			this.#skips = false;
			return;
		}
		this.#sinceLog = plus(this.#sinceLog, 0, 1);
		this.#whole = plus(this.#whole, 0, 1);
	}

	/** Whether a step was taken since the last log entry. */
	get due(): boolean {
		return this.#sinceLog.count > 0;
	}

	/** Mean loss of the steps since the last call: one log entry. */
	takeLog(): number {
		const mean = meanOf(this.#sinceLog);
		this.#sinceLog = none;
		return mean;
	}

	/** Mean loss of the batches of the epoch so far. */
	get epochMean(): number {
		return meanOf(this.#epoch);
	}

	beginEpoch(): void {
		this.#epoch = none;
	}

	/** Mean loss of all steps. */
	get mean(): number {
		return meanOf(this.#whole);
	}
}

/** The rows of an evaluation: what a classifier said of each, and what each is. All metrics are made from these. */
import { argmax } from '../model/decision.js';

const rowsPerBlock = 1024;

/** Kept in blocks, so that more rows copy nothing: 4 bytes a logit and 4 a class. */
export class ScoredRows {
	/** Labels: logits a row. */
	readonly width: number;
	readonly #logits: Float32Array[] = [];
	readonly #classes: Int32Array[] = [];
	#length = 0;
	#areFinite = true;

	constructor(width: number) {
		this.width = width;
	}

	/** `logits`: float32[rows * width]; `classes`: a class index a row. */
	add(logits: Float32Array, classes: ArrayLike<number>): void {
		for (let row = 0; row < classes.length; row++, this.#length++) {
			const place = this.#length % rowsPerBlock;
			if (place === 0) {
				this.#logits.push(new Float32Array(rowsPerBlock * this.width));
				this.#classes.push(new Int32Array(rowsPerBlock));
			}
			(this.#logits.at(-1) as Float32Array).set(logits.subarray(row * this.width, (row + 1) * this.width), place * this.width);
			(this.#classes.at(-1) as Int32Array)[place] = classes[row] as number;
		}
		this.#areFinite &&= logits.every(Number.isFinite);
	}

	get length(): number {
		return this.#length;
	}

	/** Whether no logit is NaN or infinite. */
	get areFinite(): boolean {
		return this.#areFinite;
	}

	/** Whether a row has the class. */
	has(label: number): boolean {
		return this.#classes.some((block, index) => block.subarray(0, this.#length - index * rowsPerBlock).includes(label));
	}

	logits(row: number): Float32Array {
		const start = (row % rowsPerBlock) * this.width;
		return (this.#logits[Math.floor(row / rowsPerBlock)] as Float32Array).subarray(start, start + this.width);
	}

	logit(row: number, label: number): number {
		return (this.#logits[Math.floor(row / rowsPerBlock)] as Float32Array)[(row % rowsPerBlock) * this.width + label] as number;
	}

	/** What the row is. */
	classOf(row: number): number {
		return (this.#classes[Math.floor(row / rowsPerBlock)] as Int32Array)[row % rowsPerBlock] as number;
	}
}

/** What is made of the plain cross entropy of a row, as in training. */
export interface LossShape {
	/** Share of it that gives way to the mean over all labels. @default 0 */
	readonly labelSmoothing?: number | undefined;
	/** It counts (1 - probability of what the row is)^focalGamma. @default 0 */
	readonly focalGamma?: number | undefined;
}

/** Softmax of the logits over the temperature, in double; 12 bytes a row. */
export class Probabilities {
	readonly rows: ScoredRows;
	readonly temperature: number;
	/** Label of the largest logit of each row. */
	readonly largest: Int32Array;
	/** Whether every one is a number: no logit is NaN or +Infinity. */
	readonly areNumbers: boolean;
	/** Of the exponentials of a row, its largest logit subtracted. */
	readonly #sums: Float64Array;

	constructor(rows: ScoredRows, temperature: number) {
		this.rows = rows;
		this.temperature = temperature;
		this.largest = new Int32Array(rows.length);
		this.#sums = new Float64Array(rows.length);
		let areNumbers = true;
		for (let row = 0; row < rows.length; row++) {
			const logits = rows.logits(row);
			const largest = argmax(logits);
			let sum = 0;
			for (const logit of logits) sum += Math.exp((logit - (logits[largest] as number)) / temperature);
			this.largest[row] = largest;
			this.#sums[row] = sum;
			areNumbers &&= !Number.isNaN(sum);
		}
		this.areNumbers = areNumbers;
	}

	of(row: number, label: number): number {
		return Math.exp(-this.#behind(row, label)) / (this.#sums[row] as number);
	}

	/** Of `label`, for the rows that are `actual`, rising. */
	sorted(label: number, actual: number): Float64Array {
		const { rows } = this;
		let count = 0;
		for (let row = 0; row < rows.length; row++) if (rows.classOf(row) === actual) count++;
		const values = new Float64Array(count);
		for (let row = 0, filled = 0; filled < count; row++) if (rows.classOf(row) === actual) values[filled++] = this.of(row, label);
		return values.sort();
	}

	/** -log of the probability of what the row is, without overflow; as `LossShape` says. */
	loss(row: number, { labelSmoothing: smoothing = 0, focalGamma = 0 }: LossShape): number {
		const actual = this.rows.classOf(row);
		const own = this.#behind(row, actual);
		const logSum = Math.log(this.#sums[row] as number);
		if (focalGamma !== 0) {
			let others = 0; // summed, for 1 - p would lose all digits of a row that is nearly right
			for (let label = 0; label < this.rows.width; label++) if (label !== actual) others += this.of(row, label);
			return others ** focalGamma * (logSum + own);
		}
		if (smoothing === 0) return logSum + own;
		let behind = 0;
		for (let label = 0; label < this.rows.width; label++) behind += this.#behind(row, label);
		return logSum + (1 - smoothing) * own + (smoothing * behind) / this.rows.width;
	}

	/** How far the logit of `label` is below the largest of its row. */
	#behind(row: number, label: number): number {
		return (this.rows.logit(row, this.largest[row] as number) - this.rows.logit(row, label)) / this.temperature;
	}
}

/** What becomes of an update whose loss or gradient norm is no number. */
import { TrainingError } from '../errors.js';
import type { NativeSession, RaggedBatch, StepResult } from '../runtime/native.js';

/** Updates left out in a row that end a run all the same. */
export const mostSkipped = 10;

/** What is being computed, for errors: the step and, batch by batch, the rows of its examples so far. */
export interface Where {
	readonly step: number;
	readonly rows: readonly Int32Array[];
}

/** The session as the loop trains it. */
export interface StepSession {
	/** Updates left out in a row until now. */
	readonly skipped: number;
	/** Losses and norm are NaN where the update was left out. */
	step(batches: readonly RaggedBatch[], learningRate: number, divisor: number, where: Where): Promise<StepResult>;
	/** Losses are NaN where the update these batches belong to will be left out. */
	accumulate(batches: readonly RaggedBatch[], divisor: number, where: Where): Promise<Float64Array>;
}

export interface GuardOptions {
	readonly onNonFinite: 'stop' | 'skip';
	/** Where the rows come from, and the line of each. */
	readonly source: { readonly source: string; readonly unit: string };
	readonly lines: Int32Array;
	readonly warn: (code: string, message: string) => void;
	/** Whether the update under way is to be left out already, as where a run goes on within it. @default false */
	readonly spoilt?: boolean;
	/** Updates left out in a row before, the one under way included. @default 0 */
	readonly skipped?: number;
}

/**
 * A refusal of the engine becomes a TrainingError that names the step and the lines of its rows; with 'skip' NON_FINITE becomes a warning
 * UPDATE_SKIPPED instead and the whole update is left out, its other batches too: parameters and moments stay, the step counts, the rate
 * moves on. Ten in a row are an error.
 */
export function guarded(session: Pick<NativeSession, 'step' | 'accumulate'>, options: GuardOptions): StepSession {
	let spoilt = options.spoilt ?? false;
	let skipped = options.skipped ?? 0;

	const attempt = async <Result>(where: Where, compute: () => Promise<Result>): Promise<Result | undefined> => {
		try {
			return spoilt ? undefined : await compute();
		} catch (cause) {
			const error = refusal(cause, where, options);
			if (options.onNonFinite === 'stop' || error?.code !== 'NON_FINITE') throw error ?? cause;
			skipped += 1;
			if (skipped === mostSkipped) throw tooMany(error);
			options.warn('UPDATE_SKIPPED', `${error.message}: skipped, ${skipped} in a row of at most ${mostSkipped - 1}`);
			spoilt = true;
			return undefined;
		}
	};
	const noNumbers = (count: number) => new Float64Array(count).fill(Number.NaN);

	return {
		get skipped() {
			return skipped;
		},
		async step(batches, learningRate, divisor, where) {
			const result = await attempt(where, () => session.step(batches, learningRate, divisor));
			spoilt = false;
			if (result === undefined) return { losses: noNumbers(batches.length), gradNorm: Number.NaN };
			skipped = 0;
			return result;
		},
		async accumulate(batches, divisor, where) {
			return (await attempt(where, () => session.accumulate(batches, divisor))) ?? noNumbers(batches.length);
		},
	};
}

/** undefined of what is no refusal. */
function refusal(cause: unknown, { step, rows }: Where, { lines, source }: GuardOptions): TrainingError | undefined {
	const { code, message, hint } = cause as { code?: string; message: string; hint?: string };
	if (code === undefined) return undefined;
	const numbers = rows.flatMap((batch) => Array.from(batch, (row) => lines[row] as number));
	const place = `step ${step}, ${source.unit.toLowerCase()}${numbers.length === 1 ? '' : 's'} ${numbers.join(', ')} of ${source.source}`;
	return new TrainingError(code, `${message} (${place})`, { cause, hint, details: { step, rows: numbers } });
}

const tooMany = (error: TrainingError) =>
	new TrainingError(error.code, `${error.message}: the ${mostSkipped}th update in a row without a number`, {
		cause: error,
		hint: error.hint,
		details: error.details,
	});

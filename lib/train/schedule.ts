/** Step -> learning rate, as Transformers' schedules compute it in double (optimization.py, get_scheduler). */

export const scheduleNames = ['linear', 'cosine', 'cosine_with_restarts', 'polynomial', 'constant', 'constant_with_warmup', 'inverse_sqrt'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** What a schedule may be told beside its name; each reads its own. */
export interface ScheduleKwargs {
	/** Waves of cosine (0.5: from the top to the bottom once) or whole numbers of restarts. @default 0.5, or 1 with restarts */
	readonly numCycles?: number;
	/** Exponent of polynomial. @default 1 */
	readonly power?: number;
	/** Rate polynomial ends at, below `learningRate`. @default 1e-7 */
	readonly lrEnd?: number;
	/** Steps after which inverse_sqrt has fallen to 0.7 of its top, roughly. @default the warm-up, or 10000 without one */
	readonly timescale?: number;
}

/** Names each schedule reads. */
export const kwargsOf: Readonly<Record<ScheduleName, readonly (keyof ScheduleKwargs)[]>> = {
	linear: [],
	cosine: ['numCycles'],
	cosine_with_restarts: ['numCycles'],
	polynomial: ['power', 'lrEnd'],
	constant: [],
	constant_with_warmup: [],
	inverse_sqrt: ['timescale'],
};
export const defaultLrEnd = 1e-7;

export interface Schedule {
	/** 'geometric' rises from `learningRate` to `lrEnd` by the same factor a step: a range test's, no option of a run. */
	readonly name: ScheduleName | 'geometric';
	readonly learningRate: number;
	/** Steps over which the rate rises from 0. */
	readonly warmup: number;
	readonly totalSteps: number;
	readonly kwargs: ScheduleKwargs;
}

export interface ScheduleOptions {
	readonly lrSchedulerType: ScheduleName;
	readonly lrSchedulerKwargs: ScheduleKwargs;
	readonly learningRate: number;
	readonly warmupSteps: number;
	readonly warmupRatio: number;
}

export function scheduleOf({ lrSchedulerType, lrSchedulerKwargs, learningRate, ...warmup }: ScheduleOptions, totalSteps: number): Schedule {
	return { name: lrSchedulerType, learningRate, warmup: warmupLength(totalSteps, warmup), totalSteps, kwargs: lrSchedulerKwargs };
}

/** Steps spent warming up: the number where one is given, else the share of all steps, rounded up. */
export function warmupLength(totalSteps: number, { warmupSteps, warmupRatio }: Pick<ScheduleOptions, 'warmupSteps' | 'warmupRatio'>): number {
	return warmupSteps > 0 ? warmupSteps : Math.ceil(totalSteps * warmupRatio);
}

/** Rate of optimizer step `step` (0-based), also past the end. */
export function rateAt(step: number, schedule: Schedule): number {
	const { name, learningRate, warmup } = schedule;
	if (name !== 'constant' && step < warmup) return learningRate * (step / Math.max(1, warmup));
	return learningRate * afterWarmup[name](step, schedule);
}

/** Factor of the top rate once warmed up; operations in Transformers' order, so that the last bit is its own. */
const afterWarmup: Readonly<Record<Schedule['name'], (step: number, schedule: Schedule) => number>> = {
	geometric: (step, { learningRate, totalSteps, kwargs: { lrEnd = learningRate } }) => (lrEnd / learningRate) ** (step / Math.max(1, totalSteps - 1)),
	constant: () => 1,
	constant_with_warmup: () => 1,
	linear: (step, { warmup, totalSteps }) => Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmup)),
	cosine: (step, schedule) => {
		const { numCycles = 0.5 } = schedule.kwargs;
		return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress(step, schedule))));
	},
	cosine_with_restarts: (step, schedule) => {
		const { numCycles = 1 } = schedule.kwargs;
		const passed = progress(step, schedule);
		return passed >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((numCycles * passed) % 1))));
	},
	polynomial: (step, { learningRate, warmup, totalSteps, kwargs: { power = 1, lrEnd = defaultLrEnd } }) => {
		// Where the warm-up takes all steps, Transformers divides by zero; the end rate is what it would come to.
		if (step > totalSteps || totalSteps === warmup) return lrEnd / learningRate;
		const left = 1 - (step - warmup) / (totalSteps - warmup);
		return ((learningRate - lrEnd) * left ** power + lrEnd) / learningRate;
	},
	inverse_sqrt: (step, { warmup, kwargs }) => {
		const timescale = kwargs.timescale ?? (warmup || 10_000);
		return 1 / Math.sqrt((step + timescale - warmup) / timescale);
	},
};

function progress(step: number, { warmup, totalSteps }: Schedule): number {
	return (step - warmup) / Math.max(1, totalSteps - warmup);
}

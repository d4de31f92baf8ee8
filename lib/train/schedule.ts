/** Step -> learning rate, as Transformers' schedules compute it in double. */

/** Steps spent warming up: the number where one is given, else the share of all steps, rounded up. */
export function warmupLength(
	totalSteps: number,
	{ warmupSteps, warmupRatio }: { readonly warmupSteps: number; readonly warmupRatio: number },
): number {
	return warmupSteps > 0 ? warmupSteps : Math.ceil(totalSteps * warmupRatio);
}

/** Rate of optimizer step `step` (0-based): from 0 up over the warm-up, then in a line to 0 at `totalSteps`. */
export function linearRate(step: number, learningRate: number, warmup: number, totalSteps: number): number {
	if (step < warmup) return learningRate * (step / Math.max(1, warmup));
	return learningRate * Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmup));
}

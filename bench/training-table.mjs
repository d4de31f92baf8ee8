// The table of training speeds, as train prints it and the page shows it.
import { table } from './machine.mjs';

/** `results` and `memory` as train keeps them. */
export function trainingTable(results, memory) {
	const ours = Object.keys(results[0].sides.find(({ name }) => name === 'Trainer').ratios);
	const head = [
		'',
		'tokens (padded) a step',
		's a step, median',
		'steps/s',
		'tokens/s',
		...ours.map((name) => `${name} faster by (median)`),
		'share of peak',
		'peak MB',
	];
	const faster = (ratio) => (ratio ? `${ratio.ofSums.toFixed(2)}x (${ratio.median.toFixed(2)}x)` : '');
	const lines = results.flatMap(({ order, tokensPerStep, paddedTokensPerStep, sides }) =>
		sides.map((side) => [
			`${order}: ${side.name}`,
			`${tokensPerStep.toFixed(0)} (${paddedTokensPerStep.toFixed(0)})`,
			side.secondsPerStep.toFixed(3),
			side.stepsPerSecond.toFixed(3),
			side.tokensPerSecond.toFixed(0),
			...ours.map((name) => faster(side.ratios[name])),
			`${(100 * side.shareOfPeak).toFixed(0)}%`,
			(memory[side.name] / 1e6).toFixed(0),
		]),
	);
	return table([head, ...lines]);
}

/** Gradients that grow beyond use or do not arrive. */

import { gentlerRate, soundModel } from './next.js';
import { errorsThatCount } from './statistics.js';
import { figure, percent, type Rule, type RunView, stepsThatCount } from './view.js';

// The gradient of a row at the logits is at most sqrt(2), times features of a few tens.
const explodedStep = 1000;
const explodedWindow = 100;
/** Of the probability still to be moved. */
const vanishedShare = 0.01;
/** Of what AdamW gives a weight whose gradient is noise. */
const vanishedDrift = 0.1;

/** What a run ends with where a loss or a gradient stopped being a number. */
const nonFinite = 'NON_FINITE';
export const stoppedBeingFinite = ({ error }: RunView): boolean => error?.code === nonFinite;

export const gradientExploding: Rule = (run) => {
	const place = explosion(run);
	if (place === undefined) return undefined;
	const early = place.step <= 2 && run.path < 0.02;
	return {
		code: 'GRADIENT_EXPLODING',
		symptom: `The gradients explode at step ${place.step}`,
		evidence: place.evidence,
		cause: early
			? 'the weights the run starts from: they are damaged or of another scale, since no step of this run had changed them much yet'
			: `steps too large for these weights (learning rate ${figure(run.learningRate)})${run.config.maxGradNorm === 0 ? ', and no clipping' : ''}`,
		next: early ? soundModel(run) : gentlerRate(run),
		step: place.step,
	};
};

function explosion(run: RunView): { readonly step: number; readonly evidence: string } | undefined {
	if (stoppedBeingFinite(run)) {
		const step = run.steps + 1;
		const before = run.points.at(-1);
		const norm =
			before === undefined ? 'no step was taken before it' : `the gradient norm of the steps before it was up to ${figure(before.gradNormMax)}`;
		return { step, evidence: `${run.error?.message}; ${norm}` };
	}
	if (run.problem === 'regression') return undefined;
	const point = run.points.find(({ gradNormMax }) => gradNormMax >= explodedStep);
	if (point !== undefined)
		return {
			step: point.gradNormMaxStep,
			evidence: `the gradient norm of step ${point.gradNormMaxStep} is ${figure(point.gradNormMax)}; tens at most are usual`,
		};
	const window = run.windows.find(({ gradNorm }) => gradNorm >= explodedWindow);
	if (window === undefined) return undefined;
	return {
		step: window.from,
		evidence: `the mean gradient norm of steps ${window.from} to ${window.step} is ${figure(window.gradNorm)}; tens at most are usual`,
	};
}

export const gradientVanishing: Rule = (run) => {
	if (run.problem === 'regression' || !run.lossesCompare) return undefined;
	const floor = run.guess?.floor ?? 0;
	const smoothed = run.guess === undefined && run.config.labelSmoothingFactor !== undefined && run.config.labelSmoothingFactor !== 0;
	const faint = (loss: number) => vanishedShare * (1 - Math.exp(-Math.max(0, loss - floor)));
	const window = smoothed
		? undefined
		: run.windows.find(({ gradNorm, loss, error }) => gradNorm < faint(Math.max(0, loss - errorsThatCount * error)));
	const still = run.moved !== undefined && run.encoderTrains && run.steps >= stepsThatCount && run.moved.encoder.change < vanishedDrift * run.drift;
	const unlearned = run.left !== undefined && run.left >= 0.9;
	if (window === undefined && !(still && unlearned)) return undefined;
	const step = window?.from ?? 1;
	const evidence =
		window === undefined
			? `after ${run.steps} steps the encoder's weights moved by ${figure(run.moved?.encoder.change ?? 0)}, where AdamW moves even noise by ${figure(run.drift)}; the loss is at ${percent(run.left ?? 1)} of a guess`
			: `the mean gradient norm of steps ${window.from} to ${window.step} is ${figure(window.gradNorm)} at a loss of ${figure(window.loss)}`;
	const moving = run.path >= 0.02;
	return {
		code: 'GRADIENT_VANISHING',
		symptom: `No gradient worth the name arrives from step ${step} on`,
		evidence,
		cause: moving
			? `large steps (learning rate ${figure(run.learningRate)}) have driven the features to where nothing they do changes the loss`
			: 'the weights the run starts from: a layer or the head of them gives the same for every text, as one does that was damaged or spoiled by an earlier run',
		next: moving ? gentlerRate(run) : soundModel(run),
		step,
	};
};

/** What a model makes of the classes: all one, or as good as chance. */
import { checkCommand } from '../command.js';
import { headMovedLittle } from './learning.js';
import { agreement, between, errorsThatCount, stretch, sum } from './statistics.js';
import { figure, percent, type Rule, type RunView, stepsThatCount } from './view.js';

const oneClassShare = 0.99;
// A classifier with a recall of 26% misses 10 rows in 5% of cases.
const otherRows = 10;
/** Of the training rows, from where on the other rows hardly weigh. */
const lopsided = 0.8;

/** Share of the most frequent label of the training rows. */
const lopsidedness = ({ rows }: RunView): number => (rows.perLabel === undefined ? 0 : Math.max(...rows.perLabel) / rows.train);

/** The label that most rows are taken for. */
function mostTaken(confusion: readonly (readonly number[])[]) {
	const counts = confusion.map((_, label) => sum(confusion.map((row) => row[label] as number)));
	const most = counts.indexOf(Math.max(...counts));
	const all = sum(counts);
	return { most, taken: counts[most] as number, all, share: (counts[most] as number) / all };
}

export const oneClassOnly: Rule = (run) => {
	const { lastEvaluation, labels, ended, rows } = run;
	if (lastEvaluation?.confusion === undefined || !(ended || lastEvaluation.epoch >= 1)) return undefined;
	const { confusion } = lastEvaluation;
	const { most, taken, all, share: said } = mostTaken(confusion);
	const others = all - sum(confusion[most] ?? []);
	if (said < oneClassShare || others < otherRows) return undefined;
	const name = JSON.stringify(labels[most]);
	const trained = rows.perLabel?.[most];
	const share = trained === undefined || rows.train === 0 ? 0 : trained / rows.train;
	const imbalance = share >= lopsided && run.config.classWeights === undefined;
	return {
		code: 'ONE_CLASS_ONLY',
		symptom: `Nearly every row is taken for ${name}`,
		evidence: `${taken} of ${all} evaluation rows were given ${name}; ${others} of them have another label`,
		cause: imbalance
			? `${percent(share)} of the training rows are ${name}, so that saying so every time costs little`
			: 'the model has not learned to tell the labels apart; any other finding says why',
		next: imbalance ? run.again({ classWeights: 'balanced' }) : checkCommand(run.config),
		step: lastEvaluation.step,
		epoch: lastEvaluation.epoch,
	};
};

/** Of the guess, left in the first look at the rows. */
const nothingSeen = 0.95;
/** Of the guess, left in the last quarter of a run that learned its rows by heart. */
const byHeart = 0.8;
const byHeartWithoutEvaluation = 0.9;
const littleAgreement = 0.1;

export const labelsShuffled: Rule = (run) => {
	const { guess, steps, settled, left, headMoved, lastEvaluation } = run;
	if (guess === undefined || !settled || steps < stepsThatCount || left === undefined) return undefined;
	if (headMoved === undefined || headMoved <= headMovedLittle) return undefined;
	const seen = firstLook(run);
	const blind = seen !== undefined && guess.share(seen.loss) >= nothingSeen;
	const confusion = lastEvaluation?.confusion;
	// Of one class said of every row agreement says nothing.
	const chance = confusion === undefined || mostTaken(confusion).share >= oneClassShare ? undefined : agreement(confusion);
	const found =
		lastEvaluation === undefined
			? blind && left <= byHeartWithoutEvaluation
			: chance !== undefined && chance.kappa < Math.max(littleAgreement, errorsThatCount * chance.error) && (blind || left <= byHeart);
	// Then what the first epoch saw decides.
	const one = lastEvaluation !== undefined && chance === undefined && blind && lopsidedness(run) < lopsided;
	if (!found && !one) return undefined;
	const looks =
		seen === undefined
			? []
			: [`the second half of the first epoch has a mean training loss of ${figure(seen.loss)}, ${percent(guess.share(seen.loss))} of a guess`];
	const heart = left <= byHeartWithoutEvaluation ? [`the last quarter of the steps is at ${percent(left)} of it, learned by heart`] : [];
	const agrees = chance === undefined ? [] : [`the last evaluation agrees with the labels no better than chance (kappa ${figure(chance.kappa)})`];
	return {
		code: 'LABELS_SHUFFLED',
		symptom: 'The labels do not seem to belong to the texts',
		evidence: [...looks, ...heart, ...agrees].join('; '),
		cause: 'labels in another order than the texts (a column sorted or joined alone), or texts that say nothing of them',
		next: checkCommand(run.config),
		...(lastEvaluation && { epoch: lastEvaluation.epoch, step: lastEvaluation.step }),
	};
};

/** The second half of the first epoch: rows seen for the first time, by a model that has begun to learn. */
function firstLook({ points, stepsPerEpoch }: RunView) {
	if (stepsPerEpoch < stepsThatCount) return undefined;
	const some = between(points, Math.floor(stepsPerEpoch / 2), stepsPerEpoch);
	return some.length === 0 ? undefined : stretch(some);
}

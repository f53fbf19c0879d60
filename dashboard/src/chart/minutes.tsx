// The last minutes, a bar for each.

interface Props {
  counts: number[];
  label: string;
}

const HEIGHT = 44;
const STEP = 7;

export function MinuteBars({ counts, label }: Props) {
  const most = Math.max(1, ...counts);
  const width = counts.length * STEP;
  return (
    <svg class="minutes" viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {counts.map((count, index) => {
        const height = count ? Math.max(3, (count / most) * HEIGHT) : 1;
        const look = count ? "some" : "none";
        const key = index; // A minute is its place: bars move to the left as time goes on.
        return <rect key={key} class={look} x={index * STEP} y={HEIGHT - height} width={STEP - 2} height={height} />;
      })}
    </svg>
  );
}

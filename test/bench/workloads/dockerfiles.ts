/** The Dockerfiles of the workloads. */
import { BASE_IMAGES } from '../base-images.ts';
import { sourceName } from '../contexts.ts';

const BUSYBOX = `FROM ${BASE_IMAGES.busybox}\n`;
const DEBIAN = `FROM ${BASE_IMAGES.debian}\n`;

const INSTALL =
  'RUN mkdir node_modules && for n in $(seq 1 100); do echo "module.exports = $n" > node_modules/$n.js; done\n';

/** As an application has it: dependencies, sources, what is made of them. */
export const TWELVE_STEPS = `${BUSYBOX}ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
${INSTALL}COPY src src
RUN cat src/*.js > bundle.js
RUN sha256sum bundle.js > bundle.sha256
COPY config config
RUN chown -R 1000:1000 config
ENV PORT=8080
USER 1000:1000
CMD ["cat", "bundle.sha256"]
`;

export const ONE_STEP_BEHIND_SOURCES = `${BUSYBOX}WORKDIR /app
COPY package.json ./
${INSTALL}COPY src src
RUN cat src/*.js > bundle.js
CMD ["cat", "bundle.js"]
`;

/** Any number of steps: half of them RUN, a quarter COPY, a quarter ENV. */
export function manySteps(count: number): string {
  const steps = Array.from({ length: count }, (_, n) => {
    if (n % 4 === 1) return `COPY src/${sourceName(n % 200)} /srv/copied-${n}\n`;
    if (n % 4 === 3) return `ENV STEP_${n}=${n}\n`;
    return `RUN echo ${n} > /srv/run-${n}\n`;
  });
  return BUSYBOX + steps.join('');
}

export function smallRuns(count: number): string {
  return BUSYBOX + Array.from({ length: count }, (_, n) => `RUN echo ${n} > /srv/${n}\n`).join('');
}

export const COPY_TREE_AND_RUN = `${BUSYBOX}COPY tree /tree
RUN ls /tree > /listing
`;

export const COPY_DATA_AND_RUN = `${BUSYBOX}COPY data /data
RUN ls /data > /listing
`;

export const THREE_SLEEPING_STAGES = `${['a', 'b', 'c']
  .map((name) => `${BUSYBOX.trim()} AS ${name}\nRUN sleep 2 && echo ${name} > /srv/${name}\n`)
  .join('')}${BUSYBOX}COPY --from=a /srv/a /srv/
COPY --from=b /srv/b /srv/
COPY --from=c /srv/c /srv/
`;

/** Each step takes away the documentation of some packages, and what the step before made, and makes fifty files. */
export const DEBIAN_STEPS =
  DEBIAN +
  ['a', 'b', 'c', 'd', 'g', 'lib[a-c]', 'lib[d-k]', 'lib[l-p]', 'lib[q-z]', '[m-z]']
    .map((names, n) => {
      const remove = `rm -rf /usr/share/doc/${names}* /opt/step-${n - 1}`;
      const make = `mkdir /opt/step-${n} && for f in $(seq 1 50); do echo $f > /opt/step-${n}/$f; done`;
      return `RUN ${remove} && ${make}\n`;
    })
    .join('');

export const DEBIAN_COPIES_TREE = `${DEBIAN}RUN cp -a /usr /srv/copy\n`;
